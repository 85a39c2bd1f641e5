--- A hop shows packets in the order in which they arrive: a frame is a sighting of the first packet with these bytes
-- that this hop has not shown yet. One without an identity takes at most four times as long as the slowest with one.

local parts = ...
local identity, order = parts.identity, parts.order

return {
  name = "another_hop",
  reason = "The same bytes at another hop, in the order of packets, and no later than other packets",
  source = "",
  proof = "lab2/tcp-same",
  verdict = "duplicate",
  proves = true,
  new = function(state)
    local all = state.all_order
    return function(frame, look)
      local packet = look.elsewhere
      if not packet or look.is_ambiguous then
        return nil
      elseif identity.of_pair(packet, frame) < identity.PROOF then
        local took, longest = order.step(all, packet, frame)
        look.is_ambiguous = took > longest
      end
      return not look.is_ambiguous and packet or nil
    end
  end,
}
