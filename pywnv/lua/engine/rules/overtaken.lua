--- TCP data that was not seen before, but comes after newer data, and late: once the other end has asked for it, or so
-- late that its sender must have waited for an answer. Else the network may have reordered it.

local parts = ...
local identity, limits = parts.identity, parts.limits
local max = math.max

return {
  name = "overtaken",
  reason = "Newer data came here first, and the other end asked for this, or 200 ms passed: it was lost and sent again",
  source = "RFC 5681 3.2; RFC 6298 2.4; Wireshark, epan/dissectors/packet-tcp.c (3 ms, or a round trip)",
  proof = "lab2/nat-loss",
  verdict = "retransmission",
  new = function(state)
    local store = state.store
    return function(frame, look)
      local hole = look.is_behind
      local newer = hole and store.get(hole.packet)
      if not newer then
        return nil
      end
      if frame.ident > 0 and newer.ident > 0 then -- what was sent later counts on from what came first
        local ahead = (frame.ident - newer.ident) % 65536
        if ahead > 0 and ahead <= limits.idents_ahead and identity.is_counting(newer.flow) then
          return false
        end
        return nil
      end
      local least = max(state.flow_of(frame).sent.round_trip or 0, limits.overtaken_after)
      for at = newer.node.depth, 1, -1 do
        if newer.places[at].hop == frame.hop then
          local took = frame.time - newer.times[at]
          if took >= limits.window or took >= least and state.is_asked_for(newer, frame) then
            return false
          end
          return nil
        end
      end
      return nil
    end
  end,
}
