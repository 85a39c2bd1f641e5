--- Gives a function that puts a packet block into a buffer, with another interface and time.
--
-- LuaJIT copies it straight from where it stands; elsewhere, and big-endian, its parts become strings first.

local bytes, is_big = ...

local sub = string.sub
local put32 = is_big and bytes.put_big32 or bytes.put_little32

local function put_strings(out, cursor, high, low)
  local buf, from = cursor:text(), cursor.from
  out:put(sub(buf, from, from + 7), put32(cursor.interface.number), put32(high), put32(low))
  out:put(sub(buf, from + 20, cursor.stop))
end

local has_ffi, ffi = pcall(require, "ffi")
local has_buffer = pcall(require, "string.buffer")
if is_big or not has_ffi or not has_buffer or not ffi.abi("le") then
  return put_strings
end

local head = ffi.new("uint32_t[3]")

--- @param out    the buffer
-- @param cursor that stands at the block
-- @param high, low  halves of the timestamp
return function(out, cursor, high, low)
  local start = cursor.octets + (cursor.from - 1)
  head[0], head[1], head[2] = cursor.interface.number, high, low
  out:putcdata(start, 8):putcdata(head, 12):putcdata(start + 20, cursor.stop - cursor.from - 19)
end
