--- 802.11 sends a frame again until it is acknowledged: each try is another frame in the air. Windows leaves the Retry
-- bit on every sighting of a frame that arrived by a later try, so the bit counts only if it was not set at first.

local byte, floor = string.byte, math.floor
local RETRY = 8 -- among the flags of 802.11

-- Whether the Retry bit stands in a link header.
local function is_retry(link, header)
  local at = 2
  if link == "radiotap" then
    local low, high = byte(header, 3, 4)
    at = high and 2 + low + high * 256 or 0
  end
  return floor((byte(header, at) or 0) / RETRY) % 2 == 1
end

return {
  name = "radio_retry",
  reason = "The radio sent it again, as it was not acknowledged",
  source = "IEEE 802.11-2020 9.2.4.1.6 (Retry)",
  proof = "rules/wifi-air",
  verdict = "repeat",
  new = function()
    return function(frame, look)
      local link, packet = frame.link, look.here
      if link ~= "wifi" and link ~= "radiotap" or not packet or packet.link ~= link then
        return nil
      end
      -- A radio hears each try by itself.
      if is_retry(link, frame.header) and (link == "radiotap" or not is_retry(link, packet.first_header)) then
        return false
      end
      return nil
    end
  end,
}
