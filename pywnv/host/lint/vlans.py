"""Findings about the VLAN settings of virtual NICs."""

from __future__ import annotations

from collections.abc import Iterator

from pywnv.host.lint.finding import Finding, chosen, finding, quoted
from pywnv.host.model import Host, VirtualNic
from pywnv.host.rules import joined, range_words


def findings(host: Host) -> Iterator[Finding]:
    """All of them, NIC by NIC."""
    for nic in host.nics:
        if nic.vlan.mode == "trunk":
            yield from _trunk(nic)


def _trunk(nic: VirtualNic) -> Iterator[Finding]:
    vlan = nic.vlan
    words = range_words(joined(vlan.allowed))
    command = f"Set-VMNetworkAdapterVlan {chosen(nic)} -Trunk"
    if not vlan.allowed:
        what = "trunk mode with an empty list of allowed VLANs"
        fix = f"{command} -AllowedVlanIdList (its VLANs, such as 10,20) -NativeVlanId {vlan.native}"
        yield finding("trunk-without-list", nic.label, what, fix)
    elif vlan.native and vlan.native not in vlan.allowed:
        what = f"trunk mode whose list, {words}, does not hold the native VLAN {vlan.native}"
        whole = range_words(joined([*vlan.allowed, vlan.native])).replace(" ", "")
        fix = f"{command} -AllowedVlanIdList '{whole}' -NativeVlanId {vlan.native}"
        yield finding("trunk-without-list", nic.label, what, fix)
    if vlan.native:
        listed = words.replace(" ", "") if vlan.allowed else "(its VLANs, such as 10,20)"
        what = f"untagged packets belong to VLAN {vlan.native}"
        fix = f"{command} -AllowedVlanIdList '{listed}' -NativeVlanId 0"
        yield finding("native-vlan-changed", nic.label, what, f"{fix} (if it was not intended)")
    if nic.vm is None and vlan.allowed:
        what = f"a NIC of the host in trunk mode, for the VLANs {words}"
        first = next((one for one in vlan.allowed if one != vlan.native), vlan.allowed[0])
        on = f" -SwitchName {quoted(nic.switch)}" if nic.switch else ""
        fix = (
            f"Add-VMNetworkAdapter -ManagementOS -Name 'VLAN {first}'{on}; Set-VMNetworkAdapterVlan -ManagementOS "
            f"-VMNetworkAdapterName 'VLAN {first}' -Access -VlanId {first} (repeat for each VLAN)"
        )
        yield finding("several-vlans-one-nic", nic.label, what, fix)
