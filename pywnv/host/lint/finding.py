"""Findings: for each kind how severe it is, why it matters, and its source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pywnv.host.model import VirtualNic

Severity = Literal["error", "warning", "note"]

ARTICLE = "WNV Deep Dive part 4 (James Kehr, Microsoft)"
ACL_HELP = "Add-VMNetworkAdapterAcl, Microsoft's help"
EXTENDED_HELP = "Add-VMNetworkAdapterExtendedAcl, Microsoft's help"
VLAN_HELP = "Set-VMNetworkAdapterVlan, Microsoft's help"
SET_README = "Convert-LBFO2SET, Microsoft's notice"
ANTIVIRUS = "Recommended antivirus exclusions for Hyper-V hosts (Microsoft KB 3105657)"

KNOWN: dict[str, tuple[Severity, str, str]] = {
    "team-subinterface-under-switch": (
        "error",
        "Secondary interfaces of a team whose NIC is attached to a vmSwitch cause all kinds of routing problems.",
        ARTICLE,
    ),
    "vlan-on-adapter-under-switch": (
        "error",
        "Below a vmSwitch, VLANs belong to the NICs on it; the physical NIC and the team must let all VLANs pass.",
        ARTICLE,
    ),
    "team-primary-vlan": (
        "error",
        "The first interface of a team must use the default VLAN; other VLANs need interfaces of their own.",
        ARTICLE,
    ),
    "team-on-client": (
        "error",
        "NIC teaming (LBFO) is for Windows Server only; on a client it never worked, even if it could be configured.",
        ARTICLE,
    ),
    "team-under-switch-2022": (
        "warning",
        "From Windows Server 2022 on, a vmSwitch on an LBFO team is no longer supported; use Switch Embedded Teaming.",
        SET_README,
    ),
    "team-single-member": (
        "note",
        "A team of one adapter has no load balancing and no failover; that is fine for tests and for VLANs.",
        ARTICLE,
    ),
    "trunk-without-list": (
        "error",
        "In trunk mode only tagged packets of the listed VLANs pass; the list must be set, and Microsoft's example has "
        "the native VLAN in it.",
        f"{ARTICLE}; {VLAN_HELP}",
    ),
    "native-vlan-changed": (
        "note",
        "All untagged packets belong to the native VLAN; packets of VLAN 0 must then be tagged.",
        ARTICLE,
    ),
    "untagged-nic-tagged-traffic": (
        "error",
        "Untagged is the default of a NIC, and the vmSwitch drops every tagged packet that goes to it.",
        ARTICLE,
    ),
    "several-vlans-one-nic": (
        "note",
        "Microsoft recommends one NIC for each VLAN: use a host vNIC on the vmSwitch for each.",
        ARTICLE,
    ),
    "acl-one-direction": (
        "warning",
        "Port ACLs keep no state: each direction needs its own rule.",
        ARTICLE,
    ),
    "acl-never-wins": (
        "warning",
        "The order of ACLs does not matter: the more specific rule decides, or the one of higher weight; "
        "this one never does.",
        f"{ARTICLE}; {EXTENDED_HELP}",
    ),
    "acl-mac-beats-subnet": (
        "note",
        "A rule about a MAC overrides a rule about a subnet, however long the prefix.",
        ARTICLE,
    ),
    "acl-denies-all": (
        "warning",
        "Nothing passes in this direction: no rule allows what this one denies.",
        f"{ACL_HELP}; {EXTENDED_HELP}",
    ),
    "extension-in-path": (
        "note",
        "Every packet of this vmSwitch passes it, and it may drop packets by rules that no inventory shows.",
        f"{ARTICLE}; Get-VMSwitchExtension, Microsoft's help",
    ),
    "antivirus-exclusions": (
        "warning",
        "Real-time protection on a Hyper-V host without Microsoft's exclusions slows VMs down and may break them.",
        f"{ARTICLE}; {ANTIVIRUS}",
    ),
    "duplicate-mac": (
        "error",
        "A vmSwitch sends packets by MAC: of two connected NICs with the same MAC, only one gets them at a time.",
        "Hyper-V's vmSwitch is a switch of layer 2 (IEEE 802.1Q, 8.7)",
    ),
    "nic-not-connected": (
        "note",
        "A NIC without a vmSwitch has no network.",
        "Connect-VMNetworkAdapter, Microsoft's help",
    ),
}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a host, or that its admin should know.

    Attributes:
        id: the kind, a key of KNOWN.
        severity: error, warning or note.
        where: the part of the host, named like a hop.
        what: what is wrong.
        why: why it matters.
        fix: the command that repairs it.
        source: the article or page that says so.
        count: packets of a capture that show it; None without a capture.
        first_frame: the first frame that shows it.
        capture: the capture's name.
    """

    id: str
    severity: Severity
    where: str
    what: str
    why: str
    fix: str
    source: str
    count: int | None = None
    first_frame: int | None = None
    capture: str | None = None


def finding(kind: str, where: str, what: str, fix: str) -> Finding:
    """A finding of a kind."""
    severity, why, source = KNOWN[kind]
    return Finding(kind, severity, where, what, why, fix, source)


def quoted(text: str) -> str:
    """A text as PowerShell's literal: the one way in which names of an inventory enter a command."""
    return "'" + re.sub("['\u2018\u2019\u201a\u201b]", lambda mark: mark[0] * 2, text) + "'"


def chosen(nic: VirtualNic) -> str:
    """The parameters by which Hyper-V's cmdlets choose a NIC."""
    owner = "-ManagementOS" if nic.vm is None else f"-VMName {quoted(nic.vm)}"
    return f"{owner} -VMNetworkAdapterName {quoted(nic.name)}"
