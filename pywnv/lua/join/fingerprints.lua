--- Collects fingerprints of packets, to find the same packets in captures of several observers: a bounded sample, the
-- same for every observer, with the times of each packet's first and last sighting.
--
-- A fingerprint is the TTL and the engine's key of a frame. Whether a packet belongs to the sample depends only on
-- bytes that a NAT does not change. Numbers are in arrays, not in a table for each packet: that takes a tenth of the
-- memory.

local frame_of, tunnel, strip_of, bytes, new_buffer, most, most_of_groups = ...

local byte, char, floor, min = string.byte, string.char, math.floor, math.min
local layout, ttl_of = frame_of.layout, frame_of.ttl
local put32 = bytes.put_little32

local HEADERS = 256 -- bytes of a frame that are looked at
local SPAN = 16 -- bytes of content in a key; as the engine's limit of that name
local WINDOW = 0.2 -- seconds, after which equal bytes are another packet
local PRIME = 2147483647
local RAW = "raw" -- the link of what tcpip.sys logs when it drops a packet, with a TTL that it made up
local TCP, UDP = 6, 17
local LEAST_UDP = 36 -- bytes of a datagram with headers that has eight to draw by
local LONGEST = 255 -- bytes of a fingerprint
local MOST_BITS = 48 -- of a double; so many interfaces are told apart
local BIT = {}
for at = 0, MOST_BITS - 1 do
  BIT[at] = 2 ^ at
end
-- What is kept of a packet: its lot; seconds, nanoseconds and number of its first and of its last sighting; at which
-- interfaces it was seen; whether one showed it several times (1), or it was sent again (2).
local LOT, SECONDS, NANOS, NUMBER, LAST_SECONDS, LAST_NANOS, LAST_NUMBER, PLACES, FLAWS = 1, 2, 3, 4, 5, 6, 7, 8, 9
local KEPT = 9
local AGAIN, SENT_AGAIN = 1, 2
local LEAST_BACK = 0.05 -- seconds that a file runs back where a clock may have been set
local MOST_BACK = 1024 -- such places that are kept

local PACKET = 6 -- a kind of block
local LEARN = 1000 -- packets that are looked at for what pywnv wrote

local M = {}

-- A number that all hops of a packet have in common, and that differs between packets; nil: too little is there.
-- @param text, at  what follows the ports, without checksum, stands there
local function lot(ident, text, at)
  local a, b, c, d = byte(text, at, at + 3)
  if not d then
    return nil
  end
  local sum = ident * 1183186591 + a * 1471958641 + b * 1750372769 + c * 2011990157 + d * 1390208809
  a, b, c, d = byte(text, at + 4, at + 7)
  if d then
    sum = sum + a * 1622650073 + b * 1914734411 + c * 1043618065 + d * 2099150837
  end
  return sum % PRIME
end

-- The lot of a usual frame, straight from its bytes: most are not drawn, and to read one costs more than all else.
-- @param at, stop  indices of the first and the last captured byte
-- @return nil: it is no TCP or UDP packet in Ethernet to one receiver, has options of IP, or may be in a tunnel
local function lot_of_usual(buf, at, stop)
  if stop < at + 53 or byte(buf, at) % 2 == 1 then
    return nil
  end
  local upper, lower = byte(buf, at + 12, at + 13)
  if upper == 0x81 and lower == 0 then
    at = at + 4
    upper, lower = byte(buf, at + 12, at + 13)
  end
  if upper == 8 and lower == 0 then
    local first, _, _, _, high, low, flags, offset, _, protocol = byte(buf, at + 14, at + 23)
    if first ~= 0x45 or flags % 64 > 0 or offset > 0 then
      return nil
    elseif protocol == TCP then
      return lot(high * 256 + low, buf, at + 38)
    elseif protocol == UDP then
      local longer, length = byte(buf, at + 16, at + 17)
      if longer * 256 + length >= LEAST_UDP and not tunnel.network(UDP, buf, at + 34, stop) then
        return lot(high * 256 + low, buf, at + 42)
      end
    end
  elseif upper == 0x86 and lower == 0xdd and byte(buf, at + 20) == TCP and stop >= at + 65 then
    return lot(0, buf, at + 58)
  end
  return nil
end

-- Packets of which some are kept.
-- @param room how many are kept at most
-- @param least how many there are, at least
-- @return table: take, is_drawn, text
local function new_store(room, least)
  local store = {}
  local index_of, count, level = {}, 0, 1 -- of the packets, the level-th part belongs to the sample
  while level * 2 * room <= least do
    level = level * 2
  end
  local kept = {}
  for part = 1, KEPT do
    kept[part] = {}
  end
  local lots, places, flaws = kept[LOT], kept[PLACES], kept[FLAWS]
  local seconds_of, nanos_of, number_of = kept[SECONDS], kept[NANOS], kept[NUMBER]
  local last_seconds_of, last_nanos_of, last_number_of = kept[LAST_SECONDS], kept[LAST_NANOS], kept[LAST_NUMBER]

  -- Leaves half of the packets out.
  local function shrink()
    level = level * 2
    local stays, left = {}, 0
    for key, index in pairs(index_of) do
      if lots[index] % level == 0 then
        stays[key] = index
      end
    end
    local moved = {}
    for part = 1, KEPT do
      moved[part] = {}
    end
    for key, index in pairs(stays) do
      left = left + 1
      for part = 1, KEPT do
        moved[part][left] = kept[part][index]
      end
      stays[key] = left
    end
    for part = 1, KEPT do
      local list = kept[part]
      for index = 1, count do
        list[index] = moved[part][index]
      end
    end
    index_of, count = stays, left
  end

  local function add(key, drawn, seconds, nanos, number, bit)
    count = count + 1
    index_of[key] = count
    lots[count], places[count], flaws[count] = drawn, bit, 0
    seconds_of[count], nanos_of[count], number_of[count] = seconds, nanos, number
    last_seconds_of[count], last_nanos_of[count], last_number_of[count] = seconds, nanos, number
    while count > room and level < PRIME do
      shrink()
    end
  end

  local function note(index, seconds, nanos, number, bit)
    local since = seconds - seconds_of[index] + (nanos - nanos_of[index]) / 1e9
    local after = seconds - last_seconds_of[index] + (nanos - last_nanos_of[index]) / 1e9
    if since > WINDOW or after < -WINDOW then
      flaws[index] = SENT_AGAIN
      return
    end
    if floor(places[index] / bit) % 2 == 0 then
      places[index] = places[index] + bit
    elseif flaws[index] == 0 then
      flaws[index] = AGAIN
    end
    if since < 0 then
      seconds_of[index], nanos_of[index], number_of[index] = seconds, nanos, number
    elseif after > 0 then
      last_seconds_of[index], last_nanos_of[index], last_number_of[index] = seconds, nanos, number
    end
  end

  --- Takes a packet.
  -- @param frame as frame.lua has read it
  function store.take(frame, seconds, nanos, number, place)
    local drawn = lot(frame.ident, frame.key, layout(frame.key).rest)
    if not drawn or drawn % level > 0 or #frame.key >= LONGEST then
      return
    end
    local key, bit = char(ttl_of(frame)) .. frame.key, BIT[place % MOST_BITS]
    local index = index_of[key]
    if index then
      note(index, seconds, nanos, number, bit)
    else
      add(key, drawn, seconds, nanos, number, bit)
    end
  end

  --- Whether a packet of such a lot belongs to the sample.
  function store.is_drawn(drawn)
    return drawn % level == 0
  end

  local function put40(value)
    return put32(value % 4294967296) .. char(floor(value / 4294967296) % 256)
  end

  --- All of it, as text: of each packet the seconds and nanoseconds of its first and last sighting (4 * 4 bytes), the
  -- numbers of these (2 * 5), whether an interface showed it several times (1), and the fingerprint behind its length
  -- (1): the TTL, and the key.
  function store.text()
    local out = new_buffer()
    for key, index in pairs(index_of) do
      if flaws[index] < SENT_AGAIN then
        out:put(
          put32(seconds_of[index]), put32(nanos_of[index]), put32(last_seconds_of[index]), put32(last_nanos_of[index]),
          put40(number_of[index]), put40(last_number_of[index]), char(flaws[index], #key), key
        )
      end
    end
    return out:get()
  end

  return store
end

--- An empty sample.
-- @param least how many packets there are, at least
-- @return table: take; packets and groups: stores, the latter of what goes to a group, which comes to two observers by
--   different ways; seconds and nanos of the first packet that has a time
function M.new(least)
  local sample = { packets = new_store(most, least), groups = new_store(most_of_groups, 0) }
  local frame = {}
  local back, latest = {}, nil -- where the file runs back; the time before, in seconds since the first

  --- Takes the packet where a cursor stands.
  -- @param number of it
  function sample.take(cursor, number)
    local seconds, interface = cursor.seconds, cursor.interface
    if not seconds or seconds <= 0 or seconds >= 4294967296 then
      return
    elseif not latest then
      sample.seconds, sample.nanos, latest = seconds, cursor.nanos, 0
    end
    local since = seconds - sample.seconds + (cursor.nanos - sample.nanos) / 1e9
    if since < latest - LEAST_BACK and #back < MOST_BACK then
      back[#back + 1] = { number, latest - since }
    end
    latest = since
    if interface.kind == "ethernet" then
      local drawn = lot_of_usual(cursor.buf, cursor.data, cursor.data + cursor.captured - 1)
      if drawn and not sample.packets.is_drawn(drawn) then
        return
      end
    end
    frame.kind, frame.buf, frame.at = interface.kind, cursor.buf, cursor.data
    frame.stop, frame.length = cursor.data + min(cursor.captured, HEADERS) - 1, cursor.length
    frame_of.read(frame, SPAN)
    if not frame.has_transport or frame.link == RAW and ttl_of(frame) <= 1 then
      return
    end
    local is_group = frame.l2 and byte(frame.buf, frame.l2) % 2 == 1
    local store = is_group and sample.groups or sample.packets
    store.take(frame, seconds, cursor.nanos, number, interface.number)
  end

  --- Where the file runs back in time: tables of the number of a packet, and by how many seconds it is earlier than the
  -- one before.
  function sample.back()
    return back
  end

  return sample
end

local strip -- once a packet has options

-- Whether a packet has a comment by which pywnv says what it found.
local function is_annotated(cursor)
  local at = cursor.data + cursor.captured + -cursor.captured % 4
  if cursor.kind ~= PACKET or at + 7 >= cursor.stop then
    return false
  end
  strip = strip or strip_of()
  local _, is_own = strip.options(cursor.buf, at, cursor.stop - 4, cursor.is_big and -1 or 1)
  return is_own
end

--- Takes all whole blocks of what a cursor was fed.
-- @param number of the packet before
-- @return the number of the last packet; nil or what is wrong behind it
function M.scan(cursor, sample, number)
  while true do
    local found, problem = cursor:next()
    if not found then
      return number, problem
    elseif cursor:is_packet() then
      number = number + 1
      sample.is_annotated = sample.is_annotated or number <= LEARN and is_annotated(cursor)
      sample.take(cursor, number)
    end
  end
end

return M
