"""Comments that capture tools leave at frames."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import HOSTILE, RUNTIMES, lua, module, plain

GUID = "01234567-89AB-CDEF-0123-456789ABCDEF"
PSPKT = (
    "Group:     Ethernet 2 (7)\nComponent: QoS (Packet) Scheduler (12)\nEdge:      Ingress\nDirection: Rx\nCPU:       3"
)
PSPKT_NOTE = {
    "group": "Ethernet 2",
    "component": "QoS (Packet) Scheduler",
    "component_id": 12,
    "edge": "Ingress",
    "direction": "Rx",
    "cpu": 3,
}

CASES: dict[str, dict[str, object] | None] = {
    # etl2pcapng of every age
    "PID=4": {"pid": 4},
    "PID=4 TID=128": {"pid": 4, "tid": 128},
    "PID=-2147483648 TID=-1": {"pid": 2**31, "tid": 2**32 - 1},
    "PID=4 TID=8 Packet Metadata: ReceiveFlags:0x1, PhyType:802.11ac, CenterCh:36, NumMPDUsReceived:1, RSSI:-50, "
    "DataRate:13": {"pid": 4, "tid": 8},
    "PID=0 VlanId=3 SrcPortId=5 SrcNicType=Synthetic SrcPortName=vidou-pvlan2 DstNicCount=4": {
        "pid": 0,
        "vlan": 3,
        "port": 5,
        "nic_type": "Synthetic",
        "port_name": "vidou-pvlan2",
        "destinations": 4,
    },
    f"PID=12312 VlanId=0 SrcPortId=1 SrcNicType=Internal SrcNicName={GUID} SrcPortName=0123456789ABCDE DstNicCount=1 "
    "HashValue=e12b2124": {
        "pid": 12312,
        "vlan": 0,
        "port": 1,
        "nic_type": "Internal",
        "nic": GUID,
        "port_name": "0123456789ABCDE",
        "destinations": 1,
    },
    "PID=1 TID=2 VlanId=-1 SrcPortId=4 SrcNicType= SrcNicName=a b = c SrcPortName=名前 HashValue=00000000": {
        "pid": 1,
        "tid": 2,
        "port": 4,
        "nic": "a b = c",
        "port_name": "名前",
    },
    "PID=1 VlanId=7 SrcPortId=4 SrcNicType=Synthetic SrcNicName=n SrcPortName=": {
        "pid": 1,
        "vlan": 7,
        "port": 4,
        "nic_type": "Synthetic",
        "nic": "n",
    },
    "PID=1 TID=2 RoutingDomainId={x} Username=alice VlanId=4": {"pid": 1, "tid": 2},
    # etwdump
    "PID=1 ProcessorNumber=3 VlanId=2 SrcPortId=4 SrcNicType=Synthetic SrcNicName=n SrcPortName=p DstNicCount=2": {
        "pid": 1,
        "cpu": 3,
        "vlan": 2,
        "port": 4,
        "nic_type": "Synthetic",
        "nic": "n",
        "port_name": "p",
        "destinations": 2,
    },
    # pspkt
    PSPKT: PSPKT_NOTE,
    PSPKT.replace("\n", "\r\n"): PSPKT_NOTE,
    PSPKT + "\nDrop:      reason=0x22 location=0xE0002004": {
        **PSPKT_NOTE,
        "drop": True,
        "drop_reason": 34,
        "drop_location": 0xE0002004,
    },
    "Group:      (0)\nComponent: (0)\nEdge:      2\nDirection: Unknown\nCPU:       0": {
        "component_id": 0,
        "edge": "2",
        "direction": "Unknown",
        "cpu": 0,
    },
    # pywnv convert
    "wnv: pid=4 tid=208 cpu=1 component=59 edge=2 direction=Rx number=1 appearance=2 filter=1 vlan=7": {
        "pid": 4,
        "tid": 208,
        "cpu": 1,
        "component_id": 59,
        "edge": "2",
        "direction": "Rx",
        "vlan": 7,
    },
    "wnv: cpu=0 component=5 edge=1 drop=0 location=0xE0002004 again=1": {
        "cpu": 0,
        "component_id": 5,
        "edge": "1",
        "drop": True,
        "drop_reason": 0,
        "drop_location": 0xE0002004,
    },
    "wnv: port=5 nic_type=Synthetic nic=a%20b%3Dc port_name=名前%25 destinations=2 to=1:a:b:c to=2:a:b:c": {
        "port": 5,
        "nic_type": "Synthetic",
        "nic": "a b=c",
        "port_name": "名前%",
        "destinations": 2,
    },
    "wnv: nic= vlan=4096 drop=x location=12 unheard=1": {},
    "wnv:": None,
    "wnv+ to=1:a:b:c": None,
    # none of these
    "": None,
    "PID=": None,
    "PID=x": None,
    "my comment": None,
    "Group: of friends": None,
    "see PID=4": None,
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("comment", CASES)
def test_comments(runtime: str, comment: str) -> None:
    found = plain(module(runtime, "tool_comments")[b"read"](comment.encode()))
    assert found == CASES[comment]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_remembered_is_right_and_not_endless(runtime: str) -> None:
    read = module(runtime, "tool_comments")[b"read"]
    for _ in range(2):
        assert [plain(read(b"PID=%d" % pid)) for pid in range(2500)] == [{"pid": pid} for pid in range(2500)]
        assert read(b"PID=x") is None
    memory = lua(runtime).eval(b"function() collectgarbage() return (collectgarbage('count')) end")
    before = memory()
    for pid in range(5000):
        read(b"PID=%d TID=1 VlanId=1 SrcPortId=1 SrcNicType=%s" % (pid, b"x" * 3000))
    assert memory() - before < 10_000  # KB


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_name_of_lua_stays_a_name(runtime: str) -> None:
    comment = b'PID=1 VlanId=0 SrcPortId=1 SrcNicType=Synthetic SrcNicName=]] os.execute("x") -- SrcPortName=p'
    assert plain(module(runtime, "tool_comments")[b"read"](comment))["nic"] == ']] os.execute("x") --'


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_comments(runtime: str, name: bytes) -> None:
    read = module(runtime, "tool_comments")[b"read"]
    vmswitch = b"PID=1 VlanId=0 SrcPortId=1 SrcNicType=%s SrcNicName=%s SrcPortName=%s DstNicCount=%s HashValue=%s"
    pspkt = b"Group: %s\nComponent: %s (%s)\nEdge: %s\nDrop: reason=0x%s location=0x%s"
    for form in (b"%s", b"PID=%s", b"PID=1%s", vmswitch, pspkt):
        plain(read(form.replace(b"%s", name[:600])))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("start", [b"", b"PID=", b"PID=1 VlanId=1 SrcPortId=1 SrcNicType=", b"Group: a\nComponent: "])
@pytest.mark.parametrize("filler", [b"x", b" ", b"\0", b"\n", b"9", b"\xff", b"a:\n", b" HashValue=0", b"(1)"])
def test_a_megabyte_takes_no_time(runtime: str, start: bytes, filler: bytes) -> None:
    read = module(runtime, "tool_comments")[b"read"]
    begun = process_time()
    for size in (4096, 2**20):
        comment = start + filler * (size // len(filler))
        read(comment[:4096] if size == 4096 else comment)
    assert process_time() - begun < 1


@given(st.binary(max_size=200), st.sampled_from(RUNTIMES))
@settings(max_examples=300, deadline=None)
def test_any_bytes(data: bytes, runtime: str) -> None:
    read = module(runtime, "tool_comments")[b"read"]
    for start in (b"", b"PID=1 ", b"PID=1 VlanId=1 SrcPortId=1 SrcNicType=", b"Group: a\nComponent: "):
        plain(read(start + data))
