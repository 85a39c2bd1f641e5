--- No packet travels longer than its sender would wait before it sends again.

local abs = math.abs
local limits = (...).limits

return {
  name = "too_late",
  reason = "More time lies between them than any sender waits before it sends again",
  source = "RFC 6298 2.4 and its implementations: 200 ms; RFC 1122 4.2.2.15 (the same IP ID is allowed)",
  proof = "lab2/tcp-same",
  new = function()
    local window = limits.window
    return function(packet, frame)
      local time = frame.time
      return abs(time - packet.last_time) > window and abs(time - packet.first_time) > window
        or frame.number - packet.first_frame >= limits.distance
    end
  end,
}
