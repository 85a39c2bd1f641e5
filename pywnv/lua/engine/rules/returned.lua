--- A frame that goes back to where it came from was sent again, by a neighbour (BFD echo) or a reflector. Routers that
-- send a packet to each other in a loop lower the TTL each time: that can be the same packet.

local frame_of = (...).frame
local byte, sub = string.byte, string.sub

local function is_to_itself(key)
  local at = byte(key, 1) == 4 and frame_of.V4 or byte(key, 1) == 6 and frame_of.V6
  return at and sub(key, at.source, at.target - 1) == sub(key, at.target, at.ports - 1)
end

return {
  name = "returned",
  reason = "It goes back to where the other came from",
  source = "RFC 5881 4 (BFD echo)",
  proof = "hard/bfd_echo",
  new = function()
    return function(packet, frame)
      if frame.link ~= "ethernet" or packet.link ~= "ethernet" then
        return false
      end
      local header, earlier = frame.header, packet.header
      return header ~= earlier
        and sub(header, 1, 6) == sub(earlier, 7, 12)
        and sub(header, 7, 12) == sub(earlier, 1, 6)
        and sub(header, 1, 6) ~= sub(header, 7, 12)
        and (frame.ttl >= packet.ttl or is_to_itself(frame.key))
    end
  end,
}
