"""Findings about MACs, connections, extensions and the antivirus."""

from __future__ import annotations

from collections.abc import Iterator

from pywnv.host.lint.finding import Finding, finding, quoted
from pywnv.host.model import Host, VirtualNic

MICROSOFT = ("microsoft", "microsoft corporation")
SERVER_2016, SERVER_2019 = 14393, 17763  # builds
# By the build from which on Hyper-V has them.
PROCESSES = {"vmms.exe": 0, "vmwp.exe": 0, "vmsp.exe": SERVER_2016, "vmcompute.exe": SERVER_2019}
EXTENSIONS = {
    **dict.fromkeys(("vhd", "vhdx", "avhd", "avhdx", "vsv", "iso"), 0),
    **dict.fromkeys(("rct", "vmcx", "vmrs"), SERVER_2016),
}
FOLDERS = ("hyper-v", "clusterstorage", "virtual hard disks", "virtual machines")
FOLDER = r"$env:ProgramData\Microsoft\Windows\Hyper-V"


def findings(host: Host) -> Iterator[Finding]:
    """All of them."""
    yield from _macs(host)
    for nic in host.nics:
        if nic.vm is not None and nic.connected is False:
            switch = f", although it names the vmSwitch {nic.switch!r}" if nic.switch else ""
            fix = (
                f"Connect-VMNetworkAdapter -VMName {quoted(nic.vm)} -Name {quoted(nic.name)} -SwitchName (its vmSwitch)"
            )
            yield finding("nic-not-connected", nic.label, f"is connected to no vmSwitch{switch}", fix)
    yield from _extensions(host)
    yield from _antivirus(host)


def _macs(host: Host) -> Iterator[Finding]:
    found: dict[tuple[str, str], list[VirtualNic]] = {}
    for nic in host.nics:
        if nic.mac and nic.switch and nic.connected is not False:
            found.setdefault((nic.switch.casefold(), nic.mac), []).append(nic)
    for (_, mac), nics in found.items():
        if len(nics) > 1:
            shown = bytes.fromhex(mac).hex("-").upper()
            what = f"{len(nics)} connected NICs of the vmSwitch {nics[0].switch!r} have the MAC {shown}"
            last = nics[-1]
            owner = "-ManagementOS" if last.vm is None else f"-VMName {quoted(last.vm)}"
            new = "-StaticMacAddress (a free one)" if last.vm is None else "-DynamicMacAddress"
            fix = f"Set-VMNetworkAdapter {owner} -Name {quoted(last.name)} {new}"
            yield finding("duplicate-mac", ", ".join(nic.label for nic in nics), what, fix)


def _extensions(host: Host) -> Iterator[Finding]:
    for switch in host.switches:
        for extension in switch.extensions:
            vendor = extension.vendor.strip().casefold()
            is_own = vendor in MICROSOFT or (not vendor and extension.name.casefold().startswith("microsoft "))
            if is_own or not extension.enabled or extension.running is False:
                continue
            maker = f" of {extension.vendor}" if extension.vendor else ""
            kind = f" ({extension.kind})" if extension.kind else ""
            what = f"the extension {extension.name!r}{maker}{kind} runs in it"
            fix = f"Disable-VMSwitchExtension -VMSwitchName {quoted(switch.name)} -Name {quoted(extension.name)}"
            yield finding("extension-in-path", f"vSwitch {switch.name}", what, f"{fix} # for a test")


def _antivirus(host: Host) -> Iterator[Finding]:
    antivirus = host.antivirus
    has_hyper_v = bool(host.switches or any(nic.vm is not None for nic in host.nics))
    if not (antivirus and antivirus.real_time and antivirus.told and has_hyper_v):
        return
    is_server = host.product_type in (2, 3) or "server" in host.caption.lower()
    if antivirus.automatic and is_server and (host.build or 0) >= SERVER_2016:
        return  # Defender excludes by itself what Hyper-V's role needs
    build = host.build or 0
    processes = {text.replace("/", "\\").rpartition("\\")[2].casefold() for text in antivirus.processes}
    extensions = {text.casefold().lstrip("*.") for text in antivirus.extensions}
    lost = [name for name, since in PROCESSES.items() if since <= build and name not in processes]
    open_ = [f".{name}" for name, since in EXTENSIONS.items() if since <= build and name not in extensions]
    if not extensions & EXTENSIONS.keys() and any(
        word in path.casefold() for path in antivirus.paths for word in FOLDERS
    ):
        open_ = []  # the folders of the VMs are excluded instead
    if not lost and not open_:
        return
    parts = [f"processes {', '.join(lost)}"] if lost else []
    parts += [f"files {', '.join(open_)}"] if open_ else []
    what = f"real-time protection is on, and these are not excluded: {'; '.join(parts)}"
    fix = "; ".join(
        [
            *([f"Add-MpPreference -ExclusionProcess {', '.join(map(quoted, lost))}"] if lost else []),
            *([f"Add-MpPreference -ExclusionExtension {', '.join(map(quoted, open_))}"] if open_ else []),
            f'Add-MpPreference -ExclusionPath "{FOLDER}" (and where your VMs are)',
        ]
    )
    yield finding("antivirus-exclusions", f"host {host.computer or 'of this inventory'}", what, fix)
