--- Network address translation changes one address and port of a packet, and lowers the TTL; some NATs set a new IP ID.

local candidates = (...).candidates

return {
  name = "translated",
  reason = "Only one address and port differs, and the TTL is lower: a NAT has translated it",
  source = "RFC 3022",
  proof = "lab2/nat",
  verdict = "duplicate",
  proves = true,
  new = function(state)
    local nat, segmentation = state.nat, state.segmentation

    -- The packet with the data of a frame whose ends are known to be translated, but with another IP ID.
    local function with_other_id(frame)
      local segment = state.segment_of(frame)
      if not segment or segment.size == 0 and segment.flags % 4 == 0 then
        return nil
      end
      local packet = segmentation.carrier(state.flow_of(frame), segment)
      if
        not packet
        or packet.ident == frame.ident
        or packet.size ~= frame.size
        or packet.content ~= frame.content
        or packet.written_ends == frame.written_ends
        or packet.ttl <= frame.ttl
        or candidates.seen(packet, frame.place) > 0 -- there, it is sent again
        or state.differs(packet, frame)
      then
        return nil
      end
      return packet
    end

    return function(frame, look)
      return nat.find(frame, look.binding, state.flow_of) or with_other_id(frame)
    end
  end,
}
