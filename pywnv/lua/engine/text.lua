--- Cleans text from captures, so that it can be shown.

local byte, char, find, gsub, sub = string.byte, string.char, string.find, string.gsub, string.sub
local floor = math.floor

local LONGEST_NAME = 120 -- bytes
local REPLACEMENT = "\239\191\189" -- U+FFFD in UTF-8

local M = {}

-- How many bytes the UTF-8 character at `at` has (RFC 3629), and its code point; for what is none, nil and how many
-- bytes stand for one replacement character (Unicode 3.9, maximal subpart).
local function character(text, at)
  local first = byte(text, at)
  if first < 0x80 then
    return 1, first
  elseif first < 0xc2 or first > 0xf4 then
    return nil, 1
  end
  local size = first >= 0xf0 and 4 or first >= 0xe0 and 3 or 2
  local least = first == 0xe0 and 0xa0 or first == 0xf0 and 0x90 or 0x80
  local most = first == 0xed and 0x9f or first == 0xf4 and 0x8f or 0xbf
  local point = first % 2 ^ (7 - size)
  for more = 1, size - 1 do
    local next_byte = byte(text, at + more)
    if not next_byte or next_byte < least or next_byte > most then
      return nil, more
    end
    point = point * 64 + next_byte % 64
    least, most = 0x80, 0xbf
  end
  return size, point
end

-- Characters that steer a terminal or turn the direction of writing.
local function steers(point)
  return point < 0x20
    or (point >= 0x7f and point < 0xa0)
    or point == 0x061c
    or (point >= 0x200b and point <= 0x200f)
    or (point >= 0x2028 and point <= 0x202e)
    or (point >= 0x2060 and point <= 0x206f)
    or point == 0xfeff
end

--- The text without white space at its ends.
function M.trim(text)
  text = gsub(text, "^%s+", "")
  local stop = #text
  while stop > 0 and find(text, "^%s", stop) do -- "%s+$" would try again at every blank
    stop = stop - 1
  end
  return sub(text, 1, stop)
end

--- A name from a capture as it may be shown: valid UTF-8, on one line, no control characters, of limited length.
-- @param longest most bytes; nil: as many as a name may have
function M.clean(name, longest)
  longest = longest or LONGEST_NAME
  if #name <= longest and not find(name, "[^\32-\126]") then
    return M.trim(name)
  end
  local parts, at, size = {}, 1, 0
  while at <= #name and size < longest do
    local wide, point = character(name, at)
    local part
    if not wide then
      wide, part = point, REPLACEMENT
    else
      part = steers(point) and " " or sub(name, at, at + wide - 1)
    end
    parts[#parts + 1], at, size = part, at + wide, size + #part
  end
  return M.trim(table.concat(parts))
end

local function utf8(point)
  if point < 0x80 then
    return char(point)
  elseif point < 0x800 then
    return char(0xc0 + floor(point / 64), 0x80 + point % 64)
  elseif point < 0x10000 then
    return char(0xe0 + floor(point / 4096), 0x80 + floor(point / 64) % 64, 0x80 + point % 64)
  end
  return char(
    0xf0 + floor(point / 262144),
    0x80 + floor(point / 4096) % 64,
    0x80 + floor(point / 64) % 64,
    0x80 + point % 64
  )
end

--- UTF-16LE as UTF-8; half a surrogate pair, or half a unit at the end, becomes U+FFFD.
function M.from_utf16(bytes)
  local parts, at = {}, 1
  while at < #bytes do
    local low, high, low2, high2 = byte(bytes, at, at + 3)
    local unit = high * 256 + low
    local part
    if unit >= 0xd800 and unit < 0xdc00 and high2 and high2 >= 0xdc and high2 < 0xe0 then
      part = utf8(0x10000 + (unit - 0xd800) * 1024 + high2 * 256 + low2 - 0xdc00)
      at = at + 2
    else
      part = unit >= 0xd800 and unit < 0xe000 and REPLACEMENT or utf8(unit)
    end
    parts[#parts + 1], at = part, at + 2
  end
  if at == #bytes then
    parts[#parts + 1] = REPLACEMENT
  end
  return table.concat(parts)
end

--- The number that some decimal digits stand for, where a 32-bit field holds it; else nil.
function M.number(digits)
  local value = digits and #digits <= 10 and find(digits, "^%d+$") and tonumber(digits)
  return value and value <= 4294967295 and value or nil
end

--- The VLAN that a number stands for; nil if it is not one.
function M.vlan(digits)
  local value = M.number(digits)
  return value and value <= 4095 and value or nil
end

return M
