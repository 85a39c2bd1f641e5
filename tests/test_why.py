"""`pywnv why`: the first sentence as an engineer would say it, and the numbers behind it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pcapng_blocks as ng
import pytest
import windows_events as w
from command import run
from conftest import CAPTURES, PROJECT
from test_statistics import drops, halves

import pywnv
from pywnv.host.loading import load

DEEP_DIVE = CAPTURES / "deep-dive"
HOST = DEEP_DIVE / "contoso01.toml"
TRACE = PROJECT.parent / "shared" / "public" / "demikernel-pktmon-server2022.etl"
SEES = "right after each of them the vmSwitch reports a drop at"
FILTER = "Packet does not match destination NIC packet filter"


@pytest.mark.parametrize(
    ("name", "ip", "sentence"),
    [
        (
            "acl-drop-pspkt",
            "192.168.7.52",
            "3 of 3 packets to 192.168.7.52 end at vmNIC Contoso-Gst Egress: dropped there, Failed security policy.",
        ),
        (
            "acl-drop-etl2pcapng",
            "192.168.7.52",
            f"3 of 3 packets to 192.168.7.52 are last seen at vSwitch docked uplink; {SEES} Network Adapter in switch"
            " docked: Failed security policy.",
        ),
        (
            "vlan-drop-pspkt",
            "192.168.7.40",
            "4 of 4 packets to 192.168.7.40 end at host vNIC vEthernet (wireless) Egress: dropped there,"
            f" {FILTER} (2), Filtered VLAN (2).",
        ),
        (
            "vlan-drop-etwdump",
            "192.168.7.52",
            f"4 of 4 packets from 192.168.7.52 are last seen at vmNIC Contoso-Gst; {SEES} wireless in switch wireless:"
            f" {FILTER}.",
        ),
        (
            "vlan-drop-pktmon",
            "192.168.7.52",
            "4 of 4 packets from 192.168.7.52 end at wireless: dropped there, the capture does not say why.",
        ),
        (
            "bing-etl2pcapng",
            "192.168.7.40",
            "No loss found: of 8 packets of 192.168.7.40 none is known to be dropped, and none goes"
            " unanswered; all to 192.168.7.40 end at host vNIC vEthernet (wireless) and all from 192.168.7.40 end at"
            " pNIC Wi-Fi.",
        ),
    ],
)
def test_the_examples_of_the_article(name: str, ip: str, sentence: str) -> None:
    assert pywnv.why(DEEP_DIVE / f"{name}.pcapng", ip=ip, topology=load(HOST)).sentence == sentence


def test_the_rule_of_the_host_is_named() -> None:
    host = load(CAPTURES / "host" / "contoso01.json")
    answer = pywnv.why(DEEP_DIVE / "acl-drop-pspkt.pcapng", ip="192.168.7.52", topology=host)
    assert answer.sentence == (
        "3 of 3 packets to 192.168.7.52 end at vmNIC Contoso-Gst Egress: dropped there, Failed security policy, by port"
        " ACL of vmNIC Contoso-Gst: Deny Inbound 192.168.7.99 (longest prefix of 3 that match)."
    )
    answer = pywnv.why(DEEP_DIVE / "acl-drop-etl2pcapng.pcapng", ip="192.168.7.52", topology=host)
    assert answer.sentence == (
        f"3 of 3 packets to 192.168.7.52 are last seen at vSwitch docked uplink; {SEES} Contoso-Gst in switch docked:"
        " Failed security policy, by port ACL of vmNIC Contoso-Gst: Deny Inbound 192.168.7.99 (longest prefix of 3 that"
        " match); by the packet just before the event."
    )


LOST = ": between {} and {} this host loses them, or the capture missed them; no drop is recorded."


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ({"ip": "10.0.0.1"}, "from 10.0.0.1"),
        ({"ip": "10.0.0.9"}, "to 10.0.0.9"),
        ({"nic": "vport1"}, "that begin at NIC vport1"),
        ({"nic": "team0"}, "that come to NIC team0"),
    ],
)
def test_a_host_that_loses_packets_and_tells_nothing(which: dict[str, str], words: str) -> None:
    answer = pywnv.why(CAPTURES / "lab2" / "busy-drop-fifo.pcapng.gz", **which)
    assert answer.sentence == (
        f"27 of 838 packets {words} on the path from vport1 to pnic0 are last seen at team0"
        + LOST.format("team0", "pnic0")
    )


def test_packets_that_go_on_to_several_hops() -> None:
    path = CAPTURES / "lab2" / "busy-drop-fifo.pcapng.gz"
    assert pywnv.why(path, nic="pnic0").sentence == (
        "At least 25 of 990 packets that begin at NIC pnic0 on the path from pnic0 to vport1 or vport2 are last seen at"
        " pnic0" + LOST.format("pnic0", "team0")
    )
    assert pywnv.why(path, ip="10.0.0.2").sentence.startswith(
        "At least 14 of 491 packets to 10.0.0.2 on the path from "
    )


def test_packets_to_others_are_not_lost_on_a_path_that_they_need_not_take() -> None:
    answer = pywnv.why(CAPTURES / "vlan.pcapng.gz", nic="team0")
    ends = {path.path: {one.destination for one in path.between} for path in answer.statistics.paths}
    assert (ends["pnic0 > team0"], ends["pnic0 > team0 > vport1"]) == ({"10.0.0.2"}, {"10.0.0.1"})
    assert answer.sentence.startswith("No loss found")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lab2/tcp-same", "lab2/nat-loss", "lab2/busy", "lab2/vxlan", "mix", "udpsame"])
@pytest.mark.parametrize("ip", ["10.0.0.1", "10.0.0.2", "10.0.0.9"])
def test_no_loss_is_told_that_is_none(name: str, ip: str) -> None:
    """Where the lab's wire loses packets, they leave this host first."""
    assert "loses them" not in pywnv.why(CAPTURES / f"{name}.pcapng.gz", ip=ip).sentence


@pytest.mark.parametrize("name", ["client-p24", "vxlan-2vni"])
def test_what_the_end_of_the_capture_cuts_is_no_loss(name: str) -> None:
    """Of the last packets the first hops only are captured."""
    path = CAPTURES / "rules" / f"{name}.pcapng.gz"
    for ip in {"client-p24": ("192.168.14.25", "192.168.14.20"), "vxlan-2vni": ("10.0.0.1", "10.0.0.9")}[name]:
        found = pywnv.why(path, ip=ip)
        assert "loses them" not in found.sentence
        assert sum(one.unfinished for one in found.statistics.paths) > 3


def test_the_loss_of_the_wire_is_told() -> None:
    answer = pywnv.why(CAPTURES / "lbfo-tcp-loss.pcapng.gz", ip="10.0.0.1", topology=load(CAPTURES / "lab.toml"))
    assert answer.sentence.startswith("10 of 977 packets of 10.0.0.1 are TCP data sent again, so others were lost")
    answer = pywnv.why(CAPTURES / "lab2" / "nat-loss.pcapng.gz", ip="10.0.0.2")
    assert answer.sentence == "6 of 87 pings from 10.0.0.2 to 192.0.2.9 go unanswered: they are last seen at pnic0."


def test_thousands_of_harmless_drops(tmp_path: Path) -> None:
    path = drops(tmp_path / "a.pcapng", 3000, answered=True)
    assert pywnv.why(path, ip="192.0.2.2").sentence.startswith(
        "Nothing that matters is lost: of 6,000 packets of 192.0.2.2, 3,000 are dropped harmlessly (Not locally"
    )
    path = drops(tmp_path / "b.pcapng", 3000, answered=False)
    assert pywnv.why(path, ip="192.0.2.2").sentence == (
        "3,000 of 3,000 packets to 192.0.2.2 end at component 5 1: dropped there, Not locally destined."
    )


def test_a_capture_of_two_halves(tmp_path: Path) -> None:
    answer = pywnv.why(halves(tmp_path / "a.pcapng"), ip="10.0.0.9")
    assert answer.sentence.endswith(
        "But vport1 and team0 show nothing from frame 1,501 on, while pnic0 shows 501 packets."
    )
    assert [silence.hops for silence in answer.silences] == [("vport1", "team0")]


@pytest.mark.skipif(not TRACE.exists(), reason="needs ../shared")
def test_a_trace_of_server_2022() -> None:
    done = run("why", TRACE, "--ip", "10.9.1.14", "--json")
    assert json.loads(done.stdout)["sentence"] == (
        "No loss found: of 38 packets of 10.9.1.14 none is known to be dropped, and none goes unanswered; all"
        " to 10.9.1.14 end at pNIC Ethernet 9 and all from 10.9.1.14 end at filter xdp.sys Lower on Ethernet 3."
    )


def test_what_is_asked_in_vain_every_day_is_not_the_answer() -> None:
    answer = pywnv.why(CAPTURES / "rules" / "wifi-air.pcapng.gz", nic="interface 0")
    assert answer.sentence == (
        "No loss found in this host: of 1,152 packets of interface 0 none is known to be dropped; 1 asks for"
        " an address that does not answer, 4 packets are TCP data sent again. The capture shows packets more than once"
        " and gives all of them one name, interface 0, so it does not show where they go."
    )
    answer = pywnv.why(CAPTURES / "rules" / "wifi-air.pcapng.gz", ip="10.222.102.210")
    assert answer.sentence.startswith("The only ARP request from 10.222.102.107 to 10.222.102.210 goes unanswered: ")


@pytest.mark.slow
def test_handshakes_are_counted_for_who_asks() -> None:
    """One of the two VMs tries ports where nothing listens."""
    path = CAPTURES / "lab2" / "nat.pcapng.gz"
    assert "28 TCP handshakes are refused" in pywnv.why(path, ip="10.0.0.1").sentence
    other = pywnv.why(path, ip="10.0.0.2")
    assert "refused" not in other.sentence
    assert not other.statistics.unanswered
    text = " ".join(run("why", path, "--ip", "10.0.0.1").stdout.decode().split())
    assert "192.0.2.9 refuses 28 TCP handshakes from 10.0.0.1 to 28 ports: nothing listens there" in text


def test_a_nic_in_the_middle_sees_what_is_sent_again() -> None:
    """A packet is chosen there by a sighting that is not its first."""
    path = CAPTURES / "lbfo-tcp-loss.pcapng.gz"
    whole, nic = (pywnv.why(path, **which).statistics for which in ({"ip": "10.0.0.1"}, {"nic": "pnic0"}))
    assert nic.retransmissions == whole.retransmissions > 5
    assert sum(nic.verdicts.values()) == nic.frames


def test_all_ends_are_told() -> None:
    assert pywnv.why(CAPTURES / "lab2" / "busy.pcapng.gz", ip="10.0.0.9").sentence.endswith(
        "; all to 10.0.0.9 end at pnic0 and those from 10.0.0.9 end at vport1 (523) or vport2 (486)."
    )
    assert pywnv.why(CAPTURES / "lab2" / "rsc.pcapng.gz", ip="10.0.0.1").sentence.endswith(
        " NICs or the switch join small frames (RSC) on the way: the result counts as another packet."
    )


def test_a_rule_where_the_capture_tells_no_reason() -> None:
    host = load(CAPTURES / "host" / "contoso01.json")
    answer = pywnv.why(DEEP_DIVE / "acl-drop-pktmon.pcapng", ip="192.168.7.52", topology=host)
    assert answer.sentence == (
        "3 of 3 packets to 192.168.7.52 end at vmNIC Contoso-Gst: dropped there, the capture does not say why; as the"
        " host is set up, by port ACL of vmNIC Contoso-Gst: Deny Inbound 192.168.7.99 (longest prefix of 3 that match)."
    )
    commands = [command for _, command in answer.next]
    assert len(commands) == len(set(commands))
    assert commands[-1].startswith("pywnv inspect ")


def test_for_programs() -> None:
    done = run("why", DEEP_DIVE / "acl-drop-pspkt.pcapng", "--ip", "192.168.7.52", "--json", "--host", HOST)
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(done.stdout)
    assert (found["packets"], found["frames"], found["retransmissions"]) == (3, 6, 2)
    (end,) = found["ends"]
    assert (end["hop"], end["packets"], end["dropped"]) == ("vmNIC Contoso-Gst Egress", 3, 3)
    (drop,) = found["drops"]
    assert {name: drop[name] for name in ("reason", "text", "hop", "rule", "harmless", "packets", "first_frame")} == {
        "reason": 12,
        "text": "Failed security policy",
        "hop": "vmNIC Contoso-Gst Egress",
        "rule": None,
        "harmless": False,
        "packets": 3,
        "first_frame": 2,
    }
    (question,) = found["unanswered"]
    assert (question["kind"], question["port"], question["unanswered"]) == ("handshake", 3389, 1)
    assert found["slowest"]["to"] == "vmNIC Contoso-Gst Egress"
    assert found["next"][0]["command"].endswith(f"acl-drop-pspkt.pcapng --host {HOST} 2")


def test_for_people() -> None:
    done = run("why", DEEP_DIVE / "acl-drop-pspkt.pcapng", "--ip", "192.168.7.52", "--host", HOST)
    text = " ".join(done.stdout.decode().split())
    for words in (
        "3 of 3 packets to 192.168.7.52 end at vmNIC Contoso-Gst Egress: dropped there, Failed security policy.",
        "Where packets are seen last",
        "An ACL on the vmSwitch port denies it",
        "The only TCP handshake from 192.168.7.99 to 192.168.7.52:3389 goes unanswered (first: frame 1).",
        "2 real retransmissions (first: frame 3).",
        "Slowest step: pNIC Ethernet (dock) Ingress > vmNIC Contoso-Gst Egress, 17 µs",
        "pywnv explain",
    ):
        assert words in text


def test_flows_and_addresses_of_ipv6() -> None:
    path = CAPTURES / "v6.pcapng.gz"
    row = next(row for row in pywnv.annotate(path) if row.protocol == "TCP")
    ends = [f"[{row.source}]:{row.source_port}", f"[{row.destination}]:{row.destination_port}"]
    both = [pywnv.why(path, flow="-".join(some)) for some in (ends, ends[::-1])]
    assert both[0].statistics.packets == both[1].statistics.packets > 10
    assert {end.way for end in both[0].statistics.ends} == {"to", "from"}
    assert f"from {ends[0]} to {ends[1]}" in both[0].sentence
    assert pywnv.why(path, ip="FD00:0::1").statistics.packets == pywnv.why(path, ip="fd00::1").statistics.packets > 100


def test_a_nic_by_name_or_a_part_of_it() -> None:
    path, host = DEEP_DIVE / "vlan-drop-pspkt.pcapng", load(HOST)
    for nic in ("vmNIC Contoso-Gst Ingress", "contoso-gst"):
        assert pywnv.why(path, nic=nic, topology=host).statistics.packets == 4


@pytest.mark.parametrize("nic", ["SQL01", "sql01 in switch LAN"])
def test_a_nic_that_only_events_name(nic: str) -> None:
    path = CAPTURES / "rules" / "journal-flood-n.pcapng.gz"
    answer = pywnv.why(path, nic=nic)
    assert "packets that come to NIC" in answer.sentence
    assert answer.sentence.endswith("are dropped at SQL01 in switch LAN: Failed security policy.")
    assert [(drop.packets, drop.frames) for drop in answer.drops] == [(5, 5)]
    assert len([row for row in pywnv.annotate(path) if row.drop and row.event_nic == "SQL01"]) == 5
    found = answer.statistics
    assert found.frames == found.packets + found.duplicates
    assert all(one.path for one in found.paths)


@pytest.mark.parametrize(
    ("name", "nic", "number", "where"),
    [
        ("vlan", "wireless", 4, "wireless in switch wireless"),
        ("acl", "Network Adapter", 3, "Network Adapter in switch docked"),
    ],
)
def test_a_nic_whose_drops_only_the_time_joins_with_packets(name: str, nic: str, number: int, where: str) -> None:
    answer = pywnv.why(DEEP_DIVE / f"{name}-drop-etl2pcapng.pcapng", nic=nic)
    assert answer.sentence.startswith(f"{number} of {number} packets that come to NIC {nic} are last seen at ")
    assert f"{SEES} {where}: " in answer.sentence
    assert [(drop.near, drop.packets) for drop in answer.drops] == [(number, 0)]


def test_a_drop_at_a_nic_of_which_no_packet_is_known(tmp_path: Path) -> None:
    data, path = w.ping(1), tmp_path / "a.pcapng"
    dropped = w.journal(2, w.ACL_TEXT.replace("Network Adapter", "SQL01").replace("docked", "LAN"))
    start = [ng.section(), ng.interface("vNIC:a"), ng.interface("vNIC:b")]
    path.write_bytes(b"".join([*start, w.packet(0, 0, data), dropped, w.packet(1, 9, data)]))
    answer = pywnv.why(path, nic="SQL01")
    assert answer.sentence == (
        "The vmSwitch reports 1 drop at SQL01 in switch LAN: Failed security policy. It is not known of which packets."
    )
    done = run("why", path, "--nic", "sql01")
    assert done.returncode == 0
    assert "1 event" in done.stdout.decode()


def test_events_that_no_packet_proves() -> None:
    done = run("why", DEEP_DIVE / "vlan-drop-etl2pcapng.pcapng", "--nic", "Network Adapter")
    assert done.returncode == 1
    assert "8 events of the vmSwitch name NIC Network Adapter, but nothing proves" in " ".join(
        done.stdout.decode().split()
    )


def test_one_packet_in_the_singular(tmp_path: Path) -> None:
    path = drops(tmp_path / "a.pcapng", 1, answered=False, reason=12)
    assert pywnv.why(path, nic="component 5 1").sentence.startswith(
        "1 of 1 packet that comes to NIC component 5 1 ends at component 5 1: dropped there"
    )
    path.write_bytes(ng.section() + ng.interface("eth0") + w.packet(0, 0, w.ping(1)))
    assert "1 frame shows 1 packet" in pywnv.report(path).markdown()
    done = run("why", DEEP_DIVE / "acl-drop-etl2pcapng.pcapng", "--ip", "192.168.7.52")
    assert "perhaps 3" in done.stdout.decode()


def test_nothing_found() -> None:
    done = run("why", CAPTURES / "mix.pcapng.gz", "--ip", "10.9.9.9")
    assert done.returncode == 1
    assert done.stdout.decode().startswith(
        "No packet of 10.9.9.9 in this capture; most packets are of 10.0.0.2 (667), "
    )
    done = run("why", CAPTURES / "mix.pcapng.gz", "--nic", "none")
    assert done.returncode == 1
    assert "No packet of NIC none in this capture; there are vport2, pnic0, team0, vport1." in " ".join(
        done.stdout.decode().split()
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of --ip ADDRESS, --nic NAME, --flow"),
        (["--ip", "10.0.0.1", "--nic", "a"], "one of --ip ADDRESS, --nic NAME, --flow"),
        (["--ip", "10.0.0"], "--ip 10.0.0: must be one IPv4 or IPv6 address"),
        (["--flow", "10.0.0.1:1-10.0.0.2"], "must be A:PORT-B:PORT"),
        (["--flow", "10.0.0.1:1-10.0.0.2:70000"], "must be A:PORT-B:PORT"),
        (["--nic", " "], "--nic: is empty"),
        ([CAPTURES / "mix.pcapng.gz", "--ip", "10.0.0.1"], "is given twice; give it once"),
    ],
)
def test_what_makes_no_sense(arguments: list[object], words: str) -> None:
    done = run("why", CAPTURES / "mix.pcapng.gz", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_pipes_series_and_annotated_files(tmp_path: Path) -> None:
    whole = gzip.decompress((CAPTURES / "lbfo-tcp.pcapng.gz").read_bytes())
    wanted = pywnv.why(CAPTURES / "lbfo-tcp.pcapng.gz", ip="10.0.0.1")
    pipe = tmp_path / "pipe.pcapng"
    pipe.write_bytes(whole)
    with pipe.open("rb") as file:
        done = run("why", "-", "--ip", "10.0.0.1", "--json", stdin=file)
    assert json.loads(done.stdout)["ends"] == list(wanted.as_dict()["ends"])
    annotated = tmp_path / "annotated.pcapng"
    assert run("annotate", pipe, "-o", annotated).returncode == 0
    assert pywnv.why(annotated, ip="10.0.0.1").statistics == wanted.statistics
    blocks = list(ng.blocks(whole))
    middle = len(blocks) // 2
    parts = [tmp_path / "1.pcapng", tmp_path / "2.pcapng"]
    start = [block.data for block in blocks if block.kind in (ng.SECTION, ng.INTERFACE)]
    parts[0].write_bytes(b"".join(block.data for block in blocks[:middle]))
    parts[1].write_bytes(b"".join(start + [block.data for block in blocks[middle:]]))
    assert pywnv.why(parts, ip="10.0.0.1").statistics.ends == wanted.statistics.ends


@pytest.mark.parametrize("data", [w.hostile(), w.odd_events(), *ng.odd_captures().values()])
def test_odd_captures(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(data)
    for which in ({"ip": "192.0.2.1"}, {"nic": "x"}):
        assert "\x1b" not in json.dumps(pywnv.why(path, **which).as_dict(), ensure_ascii=False)
