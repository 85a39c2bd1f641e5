"""The Windows host as an inventory tells of it: adapters, teams, switches, virtual NICs, their VLANs and ACLs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["pNIC", "tNIC", "vSwitch", "vmNIC", "host vNIC", "filter", "protocol"]
VlanMode = Literal["untagged", "access", "trunk", "isolated", "community", "promiscuous"]
Direction = Literal["inbound", "outbound"]

ANY = "ANY"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Vlan(_Part):
    """The VLAN setting of a virtual NIC's port on the vmSwitch.

    Attributes:
        mode: as Set-VMNetworkAdapterVlan sets it; the last three are private VLANs.
        access: the VLAN of access mode.
        native: the VLAN that untagged traffic belongs to in trunk mode.
        allowed: the VLANs of trunk mode.
        primary: the primary VLAN of a private one.
        secondary: its secondary VLANs: one, or of a promiscuous port a list.
    """

    mode: VlanMode = "untagged"
    access: int = 0
    native: int = 0
    allowed: list[int] = []
    primary: int = 0
    secondary: list[int] = []


class PortAcl(_Part):
    """A rule of Get-VMNetworkAdapterAcl.

    Attributes:
        direction: inbound is towards the NIC.
        action: meter only counts.
        local: the NIC's side: ANY, an address, a CIDR or a MAC (twelve lower hex digits).
        remote: the other side, likewise.
    """

    direction: Direction
    action: Literal["allow", "deny", "meter"]
    local: str = ANY
    remote: str = ANY


class ExtendedAcl(_Part):
    """A rule of Get-VMNetworkAdapterExtendedAcl.

    Attributes:
        direction: inbound is towards the NIC.
        action: allow or deny.
        local_address: the NIC's side: ANY, an address or a CIDR.
        remote_address: the other side, likewise.
        local_port: ANY, a number or a range such as 80-90, or several of them with commas.
        remote_port: likewise.
        protocol: ANY, TCP, UDP, ICMPv4, ICMPv6 or a number.
        weight: the highest is asked first.
        stateful: whether answers to what it allowed pass.
        idle_timeout: seconds after which a stateful rule forgets; None if not given.
    """

    direction: Direction
    action: Literal["allow", "deny"]
    local_address: str = ANY
    remote_address: str = ANY
    local_port: str = ANY
    remote_port: str = ANY
    protocol: str = ANY
    weight: int = 0
    stateful: bool = False
    idle_timeout: int | None = None


class VirtualNic(_Part):
    r"""A NIC of a VM, or of the host on a vmSwitch.

    Attributes:
        vm: the VM's name; None for a host vNIC.
        name: the adapter's name; "Network Adapter" is that of every VM's first.
        title: the name to show, unique in the host: the VM's name, and the adapter's where one VM has
            several.
        id: as Hyper-V has it, without `Microsoft:`, in lower case: guid, or guid\guid of a VM and its adapter.
        mac: twelve lower hex digits; None if not given or all zeros.
        device: of a host vNIC, the GUID of the adapter that it is to Windows; None if not given.
        switch: the vmSwitch's name; None if it is connected to none.
        addresses: the IP addresses that the guest reports.
        connected: whether it is; None if not given.
        vlan: its VLAN setting; untagged where the inventory has none, as Hyper-V has it.
        acls: its port ACLs.
        extended_acls: its extended ACLs.
        isolation: mode of Get-VMNetworkAdapterIsolation: none, vlan, nativevirtualsubnet, externalvirtualsubnet.
        isolation_id: its default isolation id (of mode vlan: the VLAN).
        allows_untagged: whether isolation lets untagged packets pass.
        mac_spoofing: whether it may send with other MACs.
        dhcp_guard: whether its DHCP server messages are dropped.
        router_guard: whether its router advertisements are dropped.
        port_mirroring: none, source or destination.
        status: as Windows reports it.
    """

    vm: str | None
    name: str
    title: str = ""
    id: str | None = None
    mac: str | None = None
    device: str | None = None
    switch: str | None = None
    addresses: list[str] = []
    connected: bool | None = None
    vlan: Vlan = Vlan()
    acls: list[PortAcl] = []
    extended_acls: list[ExtendedAcl] = []
    isolation: str = "none"
    isolation_id: int = 0
    allows_untagged: bool = True
    mac_spoofing: bool = False
    dhcp_guard: bool = False
    router_guard: bool = False
    port_mirroring: str = "none"
    status: str = ""

    @property
    def role(self) -> Role:
        """What kind of hop it is."""
        return "host vNIC" if self.vm is None else "vmNIC"

    @property
    def label(self) -> str:
        """As hops show it, such as `vmNIC Alpha`."""
        return f"{self.role} {self.title}"


class Adapter(_Part):
    """A network adapter of Windows itself, as Get-NetAdapter shows it: a physical one, a team's, a host vNIC's.

    Attributes:
        name: such as Ethernet 2.
        description: its interface description.
        ifindex: None if not given.
        mac: twelve lower hex digits, or None.
        guid: its InterfaceGuid in lower case without braces, or None.
        vlan: its VLAN (advanced property VlanID); 0 for none.
        status: Up, Disconnected and the like.
        is_physical: whether it is a physical one; None if not given.
        bindings: component ids of what is bound to it and enabled, in lower case, such as vms_pp.
    """

    name: str
    description: str = ""
    ifindex: int | None = None
    mac: str | None = None
    guid: str | None = None
    vlan: int = 0
    status: str = ""
    is_physical: bool | None = None
    bindings: list[str] = []


class TeamNic(_Part):
    """An interface of an LBFO team.

    Attributes:
        name: of the adapter that it is to Windows.
        team: of its team.
        primary: whether it is the team's first.
        vlan: its VLAN; None for the default one.
    """

    name: str
    team: str
    primary: bool
    vlan: int | None = None


class Team(_Part):
    """An LBFO team.

    Attributes:
        name: of the team.
        members: names of its adapters.
        nics: its interfaces.
        mode: its teaming mode, as told.
        balancing: its load balancing algorithm, as told.
        status: as Windows reports it.
    """

    name: str
    members: list[str] = []
    nics: list[TeamNic] = []
    mode: str = ""
    balancing: str = ""
    status: str = ""


class Extension(_Part):
    """An extension of a vmSwitch.

    Attributes:
        name: as Windows reports it.
        vendor: as Windows reports it.
        kind: capture, filter, forwarding, monitoring, or as told.
        enabled: whether it is.
        running: whether it is; None if not given.
    """

    name: str
    vendor: str = ""
    kind: str = ""
    enabled: bool = False
    running: bool | None = None


class Switch(_Part):
    """A vmSwitch.

    Attributes:
        name: of the switch.
        id: its GUID in lower case, or None.
        kind: private, internal, external, or nat.
        uplinks: names of the adapters below it.
        teaming: whether it is a team itself (SET).
        management: whether the host shares it.
        extensions: its extensions.
    """

    name: str
    id: str | None = None
    kind: str = ""
    uplinks: list[str] = []
    teaming: bool = False
    management: bool | None = None
    extensions: list[Extension] = []


class Antivirus(_Part):
    """Microsoft Defender on the host.

    Attributes:
        real_time: whether real-time protection is on; None if not given.
        paths: excluded folders and files.
        processes: excluded processes.
        extensions: excluded file extensions, as told.
        told: whether the exclusions are; who is no administrator may not see them.
        automatic: whether Defender excludes by itself what a server role needs; None if not given.
    """

    real_time: bool | None = None
    told: bool = False
    automatic: bool | None = None
    paths: list[str] = []
    processes: list[str] = []
    extensions: list[str] = []


EMPTY = "the file holds no adapters, teams, switches or NICs"


class Host(_Part):
    """A Windows host.

    Attributes:
        computer: its name; empty if not given.
        caption: of Windows, such as Microsoft Windows Server 2022 Datacenter.
        build: of Windows, or None.
        product_type: 1 for a client, 2 for a domain controller, 3 for a server; None if not given.
        collected: when, as told.
        left_out: cmdlets that gave nothing, and why.
        notes: what of the inventory was not used, and why.
        told: names of the cmdlets that the inventory has an answer of.
        adapters: of Windows itself.
        teams: of LBFO.
        switches: of Hyper-V.
        nics: virtual NICs.
        antivirus: Defender; None if not given.
    """

    computer: str = ""
    caption: str = ""
    build: int | None = None
    product_type: int | None = None
    collected: str = ""
    left_out: dict[str, str] = {}
    notes: list[str] = []
    told: list[str] = []
    adapters: list[Adapter] = []
    teams: list[Team] = []
    switches: list[Switch] = []
    nics: list[VirtualNic] = []
    antivirus: Antivirus | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of it that could be checked or drawn."""
        return not (self.adapters or self.teams or self.switches or self.nics or self.antivirus)
