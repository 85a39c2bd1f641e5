--- TTLs fall on the way, and MACs change with them. At one hop, a frame with a higher TTL is a later probe, as
-- traceroute sends them. So is a frame with a lower TTL between the same MACs, unless it has the packet's identity and
-- the packet's TTL has not fallen this way before: a router lowers it by one, a loop by two at least.

local parts = ...
local identity, limits = parts.identity, parts.limits

return {
  name = "ttl_counts",
  reason = "Its TTL is higher than at this hop before, or lower between the same MACs, as in probes",
  source = "RFC 791 3.2; RFC 1812 5.3.1",
  proof = "lab2/nat",
  new = function(state)
    return function(packet, frame)
      local rise = frame.ttl - packet.ttl
      if rise == 0 or not packet.node.counts[frame.hop] then
        return false
      elseif rise < 0 then
        local is_between_same = frame.link == "ethernet" and frame.header == packet.header
        local is_counted = rise == -1 and packet.has_fallen -- a router shows it twice
        local is_probe = is_between_same and (is_counted or identity.of_pair(packet, frame) < identity.PROOF)
        state.look.probe = is_probe and packet or state.look.probe
        return is_probe
      elseif frame.header ~= packet.header and identity.of_pair(packet, frame) == identity.PROOF then
        return false -- routed, and shown by a mirror behind the router before one in front of it
      end
      return frame.time - packet.last_time > limits.swapped -- mirrors may swap what follows closely
    end
  end,
}
