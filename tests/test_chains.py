"""Which packet an event of a vmSwitch is about: what an address and the order of events prove."""

from __future__ import annotations

import pytest
from command import CAPTURES
from modules import RUNTIMES, lua, module

import pywnv

SEEN = b"""
local chains, codes, events = ...
local known, time, found = chains.new(), 0, {}
for word in events:gmatch("%S+") do
  local event, to = word:match("^(%a+):?(%w*)$")
  time = time + 1e-6
  if event == "fragment" then
    known.note_packet(tonumber(to), "vm", time, { key = ("\\6"):rep(41) })
  else
    local said = { event = codes.event[event], buffer = "0xA0", nic_id = event == "delivered" and to or "vm" }
    found[#found + 1] = known.packet_of(said) or "-"
    known.note(said, time)
  end
end
return table.concat(found, " ")
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("events", "packets"),
    [
        ("received fragment:1 routed fragment:1 delivered:a", "- 1 1"),
        ("received fragment:1 routed:a routed:b fragment:1 delivered:a delivered:b", "- 1 1 1 1"),
        # The buffer is used again, and the trace has lost that it was received and routed.
        ("received fragment:1 routed fragment:1 delivered:a fragment:2 fragment:2 delivered:a", "- 1 1 -"),
        ("received fragment:1 fragment:1 delivered:a fragment:2 delivered:a", "- 1 -"),
    ],
)
def test_one_delivery_for_each_way(runtime: str, events: str, packets: str) -> None:
    found = lua(runtime).execute(SEEN, module(runtime, "chains"), module(runtime, "codes"), events.encode())
    assert found.decode() == packets


def test_whether_the_drop_of_an_event_does_harm() -> None:
    """Nobody has to listen to a group: harmless, where the packet that the event is about is proved."""
    found = {row.frame: row for row in pywnv.annotate(CAPTURES / "rules/journal-flood-n.pcapng.gz") if row.drop}
    assert {frame for frame, row in found.items() if row.drop_harmless} == {644, 886, 1299}
    assert all(found[frame].drop_reason == found[585].drop_reason for frame in (644, 886, 1299))
