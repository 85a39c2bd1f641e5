"""Which packet an event of a vmSwitch is about: what an address and the order of events prove."""

from __future__ import annotations

import pytest
from modules import RUNTIMES, lua, module

SEEN = b"""
local chains, codes, events = ...
local known, time, found = chains.new(), 0, {}
for word in events:gmatch("%S+") do
  local event, to = word:match("^(%a+):?(%w*)$")
  time = time + 1e-6
  if event == "fragment" then
    known.note_packet(tonumber(to), "vm", time, {})
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
