--- The places in the host where frames are seen, and their names.

local codes = ...

local byte, format, gsub, sub = string.byte, string.format, string.gsub, string.sub

local LONGEST_NAME = 120 -- bytes
local REPLACEMENT = "\239\191\189" -- U+FFFD in UTF-8

local M = {}

-- How many bytes the UTF-8 character at `at` has (RFC 3629), and its code point; nil where it is none.
local function character(text, at)
  local first, second, third, fourth = byte(text, at, at + 3)
  if first < 0x80 then
    return 1, first
  end
  local size = first >= 0xf0 and 4 or first >= 0xe0 and 3 or 2
  local point = first % 2 ^ (7 - size)
  for _, more in ipairs({ second or 0, size > 2 and (third or 0) or nil, size > 3 and (fourth or 0) or nil }) do
    if more < 0x80 or more > 0xbf then
      return nil
    end
    point = point * 64 + more % 64
  end
  local least = size == 2 and 0x80 or size == 3 and 0x800 or 0x10000
  if first < 0xc2 or first > 0xf4 or point < least or point > 0x10ffff or (point >= 0xd800 and point < 0xe000) then
    return nil
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

--- A name from a capture as it may be shown: valid UTF-8, on one line, no control characters, not endless.
function M.clean(name)
  local parts, at, size = {}, 1, 0
  while at <= #name and size < LONGEST_NAME do
    local wide, point = character(name, at)
    local part
    if not wide then
      wide, part = 1, REPLACEMENT
    else
      part = steers(point) and " " or sub(name, at, at + wide - 1)
    end
    parts[#parts + 1], at, size = part, at + wide, size + #part
  end
  return (gsub(table.concat(parts), "^%s*(.-)%s*$", "%1"))
end

--- A place where frames are seen. Make one for each interface and keep it: places are told apart by identity.
-- @param kind its link header, as `link.network` takes it
-- @param id   number of the interface in its section, from 0; nil for a file without interfaces
-- @param name string or nil: what the capture calls it
-- @return table: kind, id, name (nil where there is no interface), role
function M.new(kind, id, name)
  local shown = name and M.clean(name) or ""
  if shown == "" then
    shown = id and format("interface %d", id) or nil
  end
  return { kind = kind, id = id, name = shown, role = codes.role.unknown }
end

return M
