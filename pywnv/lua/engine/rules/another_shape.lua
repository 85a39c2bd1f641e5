--- One interface may show a packet in several forms: before and behind a router, with and without a VLAN tag, as 802.11
-- and as Ethernet.

local parts = ...
local candidates, identity = parts.candidates, parts.identity

return {
  name = "another_shape",
  reason = "The same bytes at the same hop, with another link header",
  source = "",
  proof = "rules/wifi-air",
  verdict = "duplicate",
  proves = true,
  new = function()
    return function(frame, look)
      local packet = look.here
      if not packet or look.elsewhere or identity.of_pair(packet, frame) < identity.STRONG then
        return nil
      elseif identity.of_pair(packet, frame) == identity.STRONG and not identity.is_asked_for(packet) then
        return nil
      elseif candidates.seen(packet, frame.place) > 0 or candidates.is_to_other_vlan(packet, frame) then
        return nil
      end
      return packet
    end
  end,
}
