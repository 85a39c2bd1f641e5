--- The places in the host where frames are seen, and their names.

local codes = ...

local byte, format, gsub, sub = string.byte, string.format, string.gsub, string.sub

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

--- A name from a capture as it may be shown: valid UTF-8, on one line, no control characters, not endless.
function M.clean(name)
  local parts, at, size = {}, 1, 0
  while at <= #name and size < LONGEST_NAME do
    local wide, point = character(name, at)
    local part
    if not wide then
      wide, part = point, REPLACEMENT
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
