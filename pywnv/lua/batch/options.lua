--- Reads what capture tools write among the options of a packet block.
--
-- Source: draft-ietf-opsawg-pcapng (options, Enhanced Packet Block).

local bytes = ...

local byte = string.byte

local READ32, READ16 = { [1] = bytes.little32, [-1] = bytes.big32 }, { [1] = bytes.little16, [-1] = bytes.big16 }
local OPT_END, OPT_COMMENT, OPT_FLAGS, OPT_PACKET_ID, OPT_VERDICT = 0, 1, 2, 5, 7
local XDP = 2 -- what kind of verdict it is
local XDP_DROP = { [1] = "\2\1\0\0\0\0\0\0\0", [-1] = "\2\0\0\0\0\0\0\0\1" } -- by order of bytes

local tool_metadata = { count = 0 }

local function text_of(buf, at, stop)
  local zero = buf:find("\0", at, true)
  return buf:sub(at, zero and zero <= stop and zero - 1 or stop)
end

local M = {}

--- What is there of a packet.
-- @param at, stop  indices of the first and the last byte of the options
-- @param order of their bytes: 1 little-endian, -1 big-endian
-- @param wants as `engine.wants` gave it
-- @return the packet id, in hexadecimal digits; what else is there, as the engine's `frame` takes it, until the next
--   call; each nil if there is none
function M.read(buf, at, stop, order, wants)
  local read32, read16 = READ32[order], READ16[order]
  local tag, flags, verdict
  local comments = 0
  while at + 3 <= stop do
    local code, size = read16(buf, at), read16(buf, at + 2)
    local last = at + 3 + size
    if code == OPT_END or last > stop then
      break
    elseif code == OPT_COMMENT and wants.comment then
      comments = comments + 1
      tool_metadata[comments] = text_of(buf, at + 4, last)
    elseif code == OPT_FLAGS and size == 4 and wants.flags then
      flags = flags or read32(buf, at + 4)
    elseif code == OPT_PACKET_ID and size == 8 and wants.id then
      tag = tag or bytes.hex(buf, at + 4, order)
    elseif code == OPT_VERDICT and size == 9 and byte(buf, at + 4) == XDP and verdict == nil and wants.verdict then
      verdict = buf:sub(at + 4, last) == XDP_DROP[order]
    end
    at = last + 1 + -size % 4
  end
  if comments == 0 and not flags and not verdict then
    return tag
  end
  tool_metadata.count, tool_metadata.flags, tool_metadata.dropped = comments, flags and flags % 4, verdict or nil
  return tag, tool_metadata
end

return M
