--- Compares bytes that were not captured, by the checksums of transport headers.

local frame_of = ...

local byte, floor = string.byte, math.floor
local layout = frame_of.layout

local CHECKSUM = 65536

local M = {}

-- The sum that stands in a checksum field until the NIC fills it in (pseudo-header, RFC 9293 3.1, RFC 8200 8.1), with
-- and without the length, which large send offload leaves out.
local function pseudo_sums(what)
  local key = what.key
  local at = layout(key)
  local sum = what.protocol
  for index = at.source, at.ports - 1, 2 do
    local high, low = byte(key, index, index + 1)
    sum = sum + high * 256 + low
  end
  local with = sum + what.size
  while with >= CHECKSUM do
    with = with % CHECKSUM + floor(with / CHECKSUM)
  end
  while sum >= CHECKSUM do
    sum = sum % CHECKSUM + floor(sum / CHECKSUM)
  end
  return with, sum
end

--- Whether two frames that are equal as far as captured differ behind that: both checksums are filled in, and differ.
-- @param mutable, earlier  as `frame.read` gives them
function M.differs_behind(what, mutable, earlier)
  local sum, earlier_sum = mutable % CHECKSUM, earlier % CHECKSUM
  if not what.has_transport or sum == earlier_sum then
    return false
  elseif sum == 0 or earlier_sum == 0 or sum % 1 > 0 or earlier_sum % 1 > 0 then
    return false
  end
  local with, without = pseudo_sums(what)
  return sum ~= with and sum ~= without and earlier_sum ~= with and earlier_sum ~= without
end

return M
