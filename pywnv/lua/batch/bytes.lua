--- Reads and writes unsigned numbers of both byte orders.

local byte, char, floor, format = string.byte, string.char, math.floor, string.format

local M = {}

function M.little32(buf, at)
  local a, b, c, d = byte(buf, at, at + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end

function M.big32(buf, at)
  local a, b, c, d = byte(buf, at, at + 3)
  return d + c * 256 + b * 65536 + a * 16777216
end

function M.little16(buf, at)
  local a, b = byte(buf, at, at + 1)
  return a + b * 256
end

function M.big16(buf, at)
  local a, b = byte(buf, at, at + 1)
  return b + a * 256
end

local function four(value)
  return value % 256, floor(value / 256) % 256, floor(value / 65536) % 256, floor(value / 16777216) % 256
end

--- The four bytes of a number.
function M.put_little32(value)
  return char(four(value))
end

function M.put_big32(value)
  local a, b, c, d = four(value)
  return char(d, c, b, a)
end

--- A number of eight bytes, which a double does not hold: 16 hexadecimal digits.
-- @param order 1: little-endian; -1: big-endian
function M.hex(buf, at, order)
  if order > 0 then
    return format("%08x%08x", M.little32(buf, at + 4), M.little32(buf, at))
  end
  return format("%08x%08x", M.big32(buf, at), M.big32(buf, at + 4))
end

--- Its bytes.
function M.put_hex(digits, order)
  local put = digits:gsub("%x%x", function(pair)
    return char(tonumber(pair, 16))
  end)
  return order > 0 and put:reverse() or put
end

return M
