--- Steps through the blocks of a pcapng, or the records of a classic pcap, that come piece by piece.
--
-- Sources: draft-ietf-opsawg-pcapng (blocks), draft-ietf-opsawg-pcap (records).

local bytes, times = ...

local floor, format, sub = math.floor, string.format, string.sub
local little32, big32, little16, big16 = bytes.little32, bytes.big32, bytes.little16, bytes.big16
local time_of, NANO = times.of, times.NANO

local SECTION, SIMPLE_PACKET, OLD_PACKET, PACKET = 0x0a0d0d0a, 3, 2, 6
local LITTLE, BIG = 0x1a2b3c4d, 0x4d3c2b1a -- the byte-order magic, read as little-endian
local LARGEST_BLOCK = 16 * 1024 * 1024 -- as Wireshark
local RECORD = -1 -- of a classic pcap, as a kind of block: none has that
local ROUND = 16 * 1024 -- KB of rubbish after which it is collected: more costs the system, to find room

-- Lua itself, with little to keep and much to read, would collect all the time: a fifth of all that joining costs.
collectgarbage("stop")
local next_round = ROUND

local has_ffi, ffi = pcall(require, "ffi")
has_ffi = has_ffi and ffi.abi("le")
local octets, words = has_ffi and ffi.typeof("const uint8_t *"), has_ffi and ffi.typeof("const uint32_t *")

-- takes_addresses: whether a piece of a file may stay where Python has it, which saves copies and rubbish.
local M = { PACKET = PACKET, OLD_PACKET = OLD_PACKET, RECORD = RECORD, takes_addresses = has_ffi }

local Cursor = {}
Cursor.__index = Cursor

--- A cursor before the first block.
-- @param on_block function: takes the kind and the body of each block that is not a packet; for an interface, it calls
--   `add_interface`; returns what is wrong, or nothing
-- @return table; of the block where it stands, once `next` has found one:
--   kind: its type; RECORD: of a classic pcap
--   from, stop: indices of its first and of its last byte in `text()`, and in what `octets` points to, from 1
--   and of a packet: interface (as `add_interface` made it), seconds and nanos since 1970 (nil: it has no time), high
--   and low (halves of the timestamp), data (index of its first byte), captured and length
function M.new(on_block)
  return setmetatable({ on_block = on_block, buf = "", size = 0, stop = 0 }, Cursor)
end

--- Starts a file.
-- @param pcap_big nil for a pcapng; of a classic pcap, whether it is big-endian
function Cursor:start(pcap_big)
  self.is_pcap, self.buf, self.size, self.stop, self.interfaces = pcap_big ~= nil, "", 0, 0, {}
  self:set_order(pcap_big)
end

function Cursor:set_order(is_big)
  self.is_big = is_big or false
  self.read32, self.read16 = is_big and big32 or little32, is_big and big16 or little16
end

--- Adds an interface to the section.
-- @param kind   of its link header, as the engine names it
-- @param units  of its timestamps, per second; at most 2^40
-- @param offset seconds to add to its timestamps
-- @param snap   the most bytes it captures of a frame; 0: all
-- @param number that the caller knows it by
function Cursor:add_interface(kind, units, offset, snap, number)
  self.interfaces[#self.interfaces + 1] = {
    kind = kind,
    units = units,
    scale = NANO % units == 0 and NANO / units or nil, -- from units to nanoseconds, where that is exact
    offset = offset,
    snap = snap,
    number = number,
    high = -1, -- as `times.of` keeps it
    high_seconds = 0,
    high_units = 0,
  }
end

--- Takes what waits and the next piece of the file, as one.
-- @param piece a string; or the address of `size` bytes, which stay there until the next piece
function Cursor:feed(piece, size)
  if size then
    self.buf, self.size, self.octets = nil, size, ffi.cast(octets, ffi.cast("uintptr_t", piece))
  else
    self.buf, self.size = piece, #piece
    self.octets = has_ffi and ffi.cast(octets, piece) or nil
  end
  self.stop = 0
  if collectgarbage("count") > next_round then
    collectgarbage()
    collectgarbage("stop") -- LuaJIT begins anew after each round
    next_round = collectgarbage("count") + ROUND
  end
end

--- What it was fed, as a string.
function Cursor:text()
  local buf = self.buf
  if not buf then
    buf = ffi.string(self.octets, self.size)
    self.buf = buf
  end
  return buf
end

--- Whether it stands at a packet.
function Cursor:is_packet()
  local kind = self.kind
  return kind == PACKET or kind == RECORD or kind == OLD_PACKET or kind == SIMPLE_PACKET
end

--- How many bytes wait.
function Cursor:waiting()
  return self.size - self.stop
end

local function next_record(self, at)
  local buf, read32 = self:text(), self.read32
  if at + 15 > #buf then
    return false
  end
  local captured = read32(buf, at + 8)
  if captured > LARGEST_BLOCK then
    return nil, format("a packet that claims to be %d bytes long", captured)
  elseif at + 15 + captured > #buf then
    return false
  end
  local interface = self.interfaces[1]
  local fraction = read32(buf, at + 4)
  local nanos = fraction * interface.scale
  local more = floor(nanos / NANO)
  self.kind, self.from, self.stop = RECORD, at, at + 15 + captured
  self.interface, self.seconds, self.nanos = interface, read32(buf, at) + more, nanos - more * NANO
  self.data, self.captured, self.length = at + 16, captured, read32(buf, at + 12)
  return true
end

local function read_packet(self, kind, at, length)
  local buf, read32 = self.buf, self.read32
  if length < 32 then
    return "a packet block that is too short"
  end
  local id = kind == PACKET and read32(buf, at + 8) or self.read16(buf, at + 8)
  local interface, captured = self.interfaces[id + 1], read32(buf, at + 20)
  if not interface then
    return format("a packet of interface %d, which no block describes", id)
  elseif captured > length - 32 then
    return format("a packet block that claims to hold %d bytes", captured)
  end
  local high, low = read32(buf, at + 12), read32(buf, at + 16)
  self.seconds, self.nanos = time_of(interface, high, low)
  self.interface, self.high, self.low = interface, high, low
  self.data, self.captured, self.length = at + 28, captured, read32(buf, at + 24)
  return nil
end

local function read_simple(self, at, length)
  local interface = self.interfaces[1]
  if not interface or length < 16 then
    return "a simple packet block without an interface"
  end
  local original = self.read32(self.buf, at + 8)
  local captured = math.min(original, length - 16)
  if interface.snap > 0 then
    captured = math.min(captured, interface.snap)
  end
  self.interface, self.seconds, self.nanos = interface, nil, nil
  self.data, self.captured, self.length = at + 12, captured, original
  return nil
end

-- Steps to a block that is a usual packet, straight from its bytes.
-- @return true; false: more of the file is needed; nil: it is unusual
local function next_usual(self)
  local from, at = self.octets, self.stop
  if not from or self.is_big or at + 32 > self.size then
    return nil
  end
  local block = ffi.cast(words, from + at)
  local length, interface, captured = block[1], self.interfaces[block[2] + 1], block[5]
  if block[0] ~= PACKET or length < 32 or length % 4 > 0 or length > LARGEST_BLOCK or captured > length - 32 or
    not interface then
    return nil
  elseif at + length > self.size then
    return false
  elseif ffi.cast(words, from + (at + length - 4))[0] ~= length then
    return nil
  end
  local high, low = block[3], block[4]
  self.kind, self.from, self.stop = PACKET, at + 1, at + length
  self.interface, self.high, self.low = interface, high, low
  self.seconds, self.nanos = time_of(interface, high, low)
  self.data, self.captured, self.length = at + 29, captured, block[6]
  return true
end

local function next_block(self, at)
  local size = self.size
  if at + 11 > size then
    return false
  end
  local buf = self:text()
  local kind = self.read32(buf, at)
  if kind == SECTION then
    local magic = little32(buf, at + 8)
    if magic ~= LITTLE and magic ~= BIG then
      return nil, "a section header without a byte-order magic"
    end
    self:set_order(magic == BIG)
  end
  local length = self.read32(buf, at + 4)
  if length < 12 or length % 4 ~= 0 or length > LARGEST_BLOCK then
    return nil, format("a block of type 0x%08x that claims to be %d bytes long", kind, length)
  elseif at + length - 1 > size then
    return false
  elseif self.read32(buf, at + length - 4) ~= length then
    return nil, format("a block of type 0x%08x with two different lengths", kind)
  end
  local problem
  if kind == PACKET or kind == OLD_PACKET then
    problem = read_packet(self, kind, at, length)
  elseif kind == SIMPLE_PACKET then
    problem = read_simple(self, at, length)
  else
    if kind == SECTION then
      self.interfaces = {}
    end
    problem = self.on_block(kind, sub(buf, at + 8, at + length - 5))
  end
  if problem then
    return nil, problem
  end
  self.kind, self.from, self.stop = kind, at, at + length - 1
  return true
end

--- Steps to the next block.
-- @return true; false: more of the file is needed; nil and what is wrong
function Cursor:next()
  if self.is_pcap then
    return next_record(self, self.stop + 1)
  end
  local found = next_usual(self)
  if found == nil then
    return next_block(self, self.stop + 1)
  end
  return found
end

return M
