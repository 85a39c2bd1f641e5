--- Passes over usual packets that the sample leaves out: most are such, and to read one whole costs more than all else.
--
-- Under LuaJIT, straight from their bytes; elsewhere, and big-endian, none is passed over.

local times, tunnel = ...

local time_of, TUNNELS = times.of, tunnel.PORTS
local PACKET = 6 -- a kind of block
local ICMP, TCP, UDP = 1, 6, 17
-- The least length that an IP header may give: then eight bytes follow to draw by, or the TCP header is whole.
local LEAST_ECHO, LEAST_UDP, LEAST_UDP6, LEAST_TCP, LEAST_TCP6 = 32, 36, 16, 40, 20
local PRIME = 2147483647

local M = {
  PRIME = PRIME,
  HEADERS = 256, -- bytes of a frame that are looked at
  LEAST_BACK = 0.05, -- seconds that a file runs back where a clock may have been set
  -- Where a packet is read, with its seconds, nanos, number, interface and captured bytes. It is one table for all, as
  -- LuaJIT does not compile code in which more values are at hand than it has registers.
  frame = {},
}

-- A number that all hops of a packet have in common, and that differs between packets; nil: too little is there.
-- @param a, b, c, d, e, f, g, h  bytes behind the ports, without the checksum; where they are fewer, only four count
function M.lot(ident, a, b, c, d, e, f, g, h)
  if not d then
    return nil
  end
  local sum = ident * 1183186591 + a * 1471958641 + b * 1750372769 + c * 2011990157 + d * 1390208809
  if h then
    sum = sum + e * 1622650073 + f * 1914734411 + g * 1043618065 + h * 2099150837
  end
  return sum % PRIME
end

local has_ffi, ffi = pcall(require, "ffi")
if not has_ffi or not ffi.abi("le") then
  function M.pass(_, _, number)
    return number
  end
  return M
end

local min = math.min
local lot, frame, HEADERS, LEAST_BACK = M.lot, M.frame, M.HEADERS, M.LEAST_BACK
local words = ffi.typeof("const uint32_t *")

local function lot_at(ident, at)
  return lot(ident, at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7])
end

local function lot_of_udp(ident, at)
  return not TUNNELS[at[2] * 256 + at[3]] and lot_at(ident, at + 8) or nil
end

local function lot_of_ip4(at)
  if at[14] ~= 0x45 or at[20] % 64 > 0 or at[21] > 0 then
    return nil
  end
  local length, ident, protocol = at[16] * 256 + at[17], at[18] * 256 + at[19], at[23]
  if protocol == TCP then
    return lot_at(ident, at + 38)
  elseif protocol == UDP and length >= LEAST_UDP then
    return lot_of_udp(ident, at + 34)
  elseif protocol == ICMP and length >= LEAST_ECHO and at[34] % 8 == 0 and at[34] <= 8 then
    return lot(ident, at[34], at[35], at[40], at[41], at[42], at[43], at[44], at[45])
  end
  return nil
end

local function lot_of_ip6(at, size)
  if at[20] == TCP and size >= 66 then
    return lot_at(0, at + 58)
  elseif at[20] == UDP and size >= 70 and at[18] * 256 + at[19] >= LEAST_UDP6 then
    return lot_of_udp(0, at + 54)
  end
  return nil
end

-- The lot of a frame in Ethernet; nil: it is of an unusual kind, has options of IP, or may be in a tunnel; false: no
-- sample has it, as it is ARP.
local function lot_of(at, size)
  if size >= 14 and at[12] == 8 and at[13] == 6 then
    return false
  elseif size < 54 then
    return nil
  end
  if at[12] == 0x81 and at[13] == 0 then
    at, size = at + 4, size - 4
  end
  if at[12] == 8 and at[13] == 0 then
    return lot_of_ip4(at)
  elseif at[12] == 0x86 and at[13] == 0xdd then
    return lot_of_ip6(at, size)
  end
  return nil
end

local made = ffi.new("uint8_t[53]")

-- The fingerprint of a usual TCP packet, as fingerprints.lua makes it: most packets are such; nil: it is another.
local function tcp_of(at, size)
  if at[12] == 0x81 and at[13] == 0 then
    at, size = at + 4, size - 4
  end
  if size >= 50 and at[12] == 8 and at[13] == 0 and at[14] == 0x45 and at[20] % 64 == 0 and at[21] == 0 and
    at[23] == TCP and at[16] * 256 + at[17] >= LEAST_TCP then
    made[0], made[1], made[6], made[7], made[8] = at[22], 4, 0, 0, TCP
    ffi.copy(made + 2, at + 16, 4) -- length and IP ID
    ffi.copy(made + 9, at + 26, 24) -- addresses, and TCP up to its checksum
    return ffi.string(made, 33)
  elseif size >= 70 and at[12] == 0x86 and at[13] == 0xdd and at[14] >= 0x60 and at[14] < 0x70 and at[20] == TCP and
    at[18] * 256 + at[19] >= LEAST_TCP6 then
    made[0], made[1] = at[21], 6
    ffi.copy(made + 2, at + 18, 3) -- length and protocol
    ffi.copy(made + 5, at + 22, 48)
    return ffi.string(made, 53)
  end
  return nil
end

local places, numbers, lots = {}, {}, {} -- of the packets to be read: offset in the piece, number, and lot or false

-- Reads the packets that may belong to a sample: in a loop of its own, as LuaJIT compiles two short ones better.
local function read(cursor, sample, count)
  for which = 1, count do
    local at = places[which]
    local start = cursor.octets + at
    local block = ffi.cast(words, start)
    local interface, captured = cursor.interfaces[block[2] + 1], block[5]
    frame.number, frame.interface = numbers[which], interface
    frame.seconds, frame.nanos = time_of(interface, block[3], block[4])
    local found = lots[which] and start[28] % 2 == 0 and tcp_of(start + 28, captured)
    if found then
      sample.packets:keep(found, lots[which])
    else
      frame.captured, frame.length = captured, block[6]
      frame.buf, frame.at = ffi.string(start + 28, min(captured, HEADERS)), 1
      sample:read()
    end
  end
end

--- Takes the packets behind where a cursor stands, up to the first block that is unusual.
-- @param number of the packet before
-- @return that of the last one that it took
function M.pass(cursor, sample, number)
  local from, at, size, latest, count = cursor.octets, cursor.stop, cursor.size, sample.latest, 0
  if not from or not latest or cursor.is_pcap or cursor.is_big then
    return number
  end
  local interfaces, packets, groups = cursor.interfaces, sample.packets, sample.groups
  while at + 32 <= size do
    local block = ffi.cast(words, from + at)
    local length, interface, captured = block[1], interfaces[block[2] + 1], block[5]
    if block[0] ~= PACKET or length < 32 or length % 4 > 0 or length > size - at or captured > length - 32 or
      not interface or ffi.cast(words, from + (at + length - 4))[0] ~= length then
      break
    end
    local seconds, nanos = time_of(interface, block[3], block[4])
    local since = seconds - sample.seconds + (nanos - sample.nanos) / 1e9
    if seconds <= 0 or seconds >= 4294967296 or since < latest - LEAST_BACK then
      break
    end
    number = number + 1
    local data = from + (at + 28)
    local drawn
    if interface.kind == "ethernet" then
      drawn = lot_of(data, captured)
    end
    if drawn == nil or drawn and drawn % (data[0] % 2 == 1 and groups or packets).level == 0 then
      count = count + 1
      places[count], numbers[count], lots[count] = at, number, drawn or false
    end
    at, latest = at + length, since
  end
  cursor.stop, sample.latest = at, latest
  read(cursor, sample, count)
  return number
end

return M
