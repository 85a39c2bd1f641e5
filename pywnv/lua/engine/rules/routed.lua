--- A router, or a host that forwards, lowers the TTL of a packet; a sender that sends again does not.

return {
  name = "routed",
  reason = "The same bytes at the same hop with a lower TTL: a router has forwarded them",
  source = "RFC 1812 5.3.1",
  proof = "rules/mix-fwd-loss",
  verdict = "duplicate",
  new = function(state)
    return function(frame, look)
      local found, least, ttl = nil, 256, frame.ttl
      if not look.here or look.elsewhere or look.is_ambiguous or ttl == 0 then
        return nil
      end
      for at = 1, state.all_here(frame) do
        local packet = look.list[at]
        local lost = packet.ttl - ttl
        local is_sent_on = frame.header ~= packet.header or frame.header == ""
        if is_sent_on and lost > 0 and lost <= least and frame.time >= packet.last_time then
          found, least = lost < least and packet or nil, lost
        end
      end
      return found
    end
  end,
}
