--- Writes a pcapng again from the chunks that `batch` walks: every byte as it was, but for what is put in or left out.
--
-- Sources: draft-ietf-opsawg-pcapng (blocks, options), draft-ietf-opsawg-pcap (records).

local bytes, new_buffer = ...

local floor, sub = math.floor, string.sub

local PACKET = 6
local END = "\0\0\0\0" -- opt_endofopt
local LARGEST_BLOCK = 16 * 1024 * 1024 -- as Wireshark
local UNKNOWN_LENGTH = ("\255"):rep(8)
local PADDING = { [0] = "", "\0", "\0\0", "\0\0\0" }

local M = {}

local out = new_buffer()
local copied = 0 -- the last byte of the chunk that is written, or left out
local sections, section_count = {}, 0 -- where sections start in the chunk that name their length
local units -- of timestamps a second, where the capture is a classic pcap

--- @param pcap_units of its timestamps a second; nil for a pcapng
function M.start(pcap_units)
  units = pcap_units
end

local function reader(order)
  return order > 0 and bytes.little32 or bytes.big32
end

local function writer(order)
  return order > 0 and bytes.put_little32 or bytes.put_big32
end

--- Notes a section, whose length may not be what it was.
-- @param at of its block
function M.section(buf, at)
  if sub(buf, at + 16, at + 23) ~= UNKNOWN_LENGTH then
    section_count = section_count + 1
    sections[section_count] = at
  end
end

local function put_with_sections(buf, to)
  local left = 0
  for at = 1, section_count do
    local length = sections[at] + 16
    if length > to then
      left = left + 1
      sections[left] = sections[at]
    elseif length > copied then
      out:put(sub(buf, copied + 1, length - 1), UNKNOWN_LENGTH)
      copied = length + 7
    end
  end
  section_count = left
  out:put(sub(buf, copied + 1, to))
end

-- Puts what is not written yet, up to a byte.
local function copy(buf, to)
  if section_count > 0 then
    put_with_sections(buf, to)
  else
    out:put(sub(buf, copied + 1, to))
  end
  copied = to
end

--- The text of a chunk.
function M.finish(buf, stop)
  if not units then
    copy(buf, stop)
  end
  copied, section_count = 0, 0
  return out:get()
end

local function put_option(order, code, value)
  local size = #value
  local low, high = string.char(code, 0), string.char(size % 256, floor(size / 256))
  if order < 0 then
    low, high = low:reverse(), high:reverse()
  end
  return low .. high .. value .. PADDING[-size % 4]
end

--- The options that say something of a frame.
-- @param text of a comment, or nil
-- @param id   a packet id, or nil
function M.options(order, text, id)
  local options = text and put_option(order, 1, text) or ""
  if not id then
    return options
  end
  local put, low = writer(order), id % 4294967296
  local high = (id - low) / 4294967296
  return options .. put_option(order, 5, order > 0 and put(low) .. put(high) or put(high) .. put(low))
end

-- A pcap's timestamp in units, as two halves of 32 bits; a double holds no more than 53.
local function halves(seconds, fraction)
  local low = seconds % 65536
  local upper = (seconds - low) / 65536 * units
  local lower = upper % 65536 * 65536 + low * units + fraction
  return floor(upper / 65536) + floor(lower / 4294967296), lower % 4294967296
end

--- Puts a record of a classic pcap as a packet block.
-- @param options to give it
function M.of_record(buf, at, order, options)
  local read, put = reader(order), writer(order)
  local captured = read(buf, at + 8)
  local high, low = halves(read(buf, at), read(buf, at + 4))
  if options ~= "" then
    options = options .. END
  end
  local data = sub(buf, at + 8, at + 15 + captured) -- begins with both lengths
  local length = put(32 + captured + -captured % 4 + #options)
  out:put(put(PACKET), length, put(0), put(high), put(low), data, PADDING[-captured % 4], options, length)
end

--- Where the options of a packet block are.
-- @return index of their first byte, and of their last one; nil if the block is of another kind
function M.options_at(buf, at, order)
  local read = reader(order)
  if read(buf, at) ~= PACKET then
    return nil
  end
  local captured = read(buf, at + 20)
  return at + 28 + captured + -captured % 4, at + read(buf, at + 4) - 5
end

--- The type of a block.
function M.kind(buf, at, order)
  return reader(order)(buf, at)
end

--- Where the body of a block begins and ends.
function M.body_at(buf, at, order)
  return at + 8, at + reader(order)(buf, at + 4) - 5
end

--- Puts what is there up to the end of a block that gets another body.
-- @param body of whole words
-- @return whether it fits
function M.with_body(buf, at, order, body)
  local length = #body + 12
  if length > LARGEST_BLOCK then
    return false
  end
  local size = writer(order)(length)
  local _, stop = M.body_at(buf, at, order)
  copy(buf, at + 3)
  out:put(size, body, size)
  copied = stop + 4
  return true
end

--- Puts what is there up to the end of a packet block that gets other options.
-- @param from, stop as `options_at` gave them
-- @param added   what to put before them
-- @param old     its options, without what `added` replaces
-- @return whether they fit
function M.with_options(buf, at, order, from, stop, added, old)
  local ends = old == "" or sub(old, 1, 2) == "\0\0"
  local options = added ~= "" and ends and added .. END .. old or added .. old
  local length = from - at + #options + 4
  if length > LARGEST_BLOCK then
    return false
  end
  local size = writer(order)(length)
  copy(buf, at + 3)
  out:put(size, sub(buf, at + 8, from - 1), options, size)
  copied = stop + 4
  return true
end

--- Puts what is there up to a block, which is left out, as records are that nobody puts.
function M.without(buf, at, order)
  if not units then
    copy(buf, at - 1)
    copied = at + reader(order)(buf, at + 4) - 1
  end
end

--- Whether the capture is a classic pcap.
function M.is_pcap()
  return units ~= nil
end

return M
