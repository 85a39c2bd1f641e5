--- A router, or a host that forwards, lowers the TTL of a packet; a sender that sends again does not. If it was seen
-- elsewhere since it was here, it comes back with the TTL that it had there.

local mutable_fields = (...).mutable_fields
local max = math.max

return {
  name = "routed",
  reason = "The same bytes at the same hop with a lower TTL: a router has forwarded them",
  source = "RFC 1812 5.3.1",
  proof = "rules/mix-fwd-loss",
  verdict = "duplicate",
  new = function(state)
    -- By how much the TTL of a packet has fallen since it began here, if it comes back with the TTL it had elsewhere.
    local function fell_elsewhere(packet, frame)
      local is_back = packet.node.hop ~= frame.hop
        and packet.node.counts[frame.hop] == 1
        and packet.places[1].hop == frame.hop
        and packet.ttl == frame.ttl
        and packet.first_header ~= frame.header
      return is_back and mutable_fields.ttl(packet.first_mutable) - frame.ttl or 0
    end

    -- By how much the TTL of a packet is lower than at its last sighting.
    local function fell(packet, frame)
      local is_sent_on = frame.header ~= packet.header or frame.header == ""
      return is_sent_on and packet.ttl - frame.ttl or 0
    end

    return function(frame, look)
      local found, least, is_back = nil, 256, false
      if not look.here or look.elsewhere or look.is_ambiguous or frame.ttl == 0 then
        return nil
      end
      for at = 1, state.all_here(frame) do
        local packet = look.list[at]
        local elsewhere = fell_elsewhere(packet, frame)
        local lost = max(fell(packet, frame), elsewhere)
        if lost > 0 and frame.time >= packet.last_time then
          if lost < least then
            found, least, is_back = packet, lost, elsewhere > 0
          elseif lost == least and (elsewhere > 0 or not is_back) then
            found = nil -- two could be meant, unless the later one has not gone on
          end
        end
      end
      look.is_ambiguous = not found and least < 256
      return found
    end
  end,
}
