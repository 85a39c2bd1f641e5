--- A packet comes to a hop that shows packets once, goes on, and comes to that hop again: the network has doubled it,
-- and both take the whole path. With another link header, it is what a host sends on through the NIC on which it came.

local parts = ...
local candidates, identity, limits = parts.candidates, parts.identity, parts.limits

return {
  name = "went_on",
  reason = "It came to this hop again after it had gone on, and this hop shows each packet once",
  source = "",
  proof = "lbfo-tcp-wiredup",
  verdict = "repeat",
  new = function()
    return function(frame, look)
      local packet = look.here
      if
        not packet
        or look.elsewhere
        or packet.node.hop == frame.hop
        or frame.time < packet.last_time
        or candidates.seen(packet, frame.place) == 0
        or identity.of_pair(packet, frame) < identity.PROOF
      then
        return nil
      end
      local _, is_sure = candidates.is_known_once(packet, frame.hop)
      local at_hop = frame.place.at_hop
      local may_be_more = at_hop.more > at_hop.once or candidates.is_known_more(packet, frame.hop)
      if not is_sure and (may_be_more or not candidates.is_like(packet, frame)) then
        return nil
      elseif not is_sure and at_hop.once < limits.once then
        look.is_back = true -- it may be at another edge of the hop, or the network has doubled it
        return nil
      end
      return false
    end
  end,
}
