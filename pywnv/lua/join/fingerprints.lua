--- Collects fingerprints of packets, to find the same packets in captures of several observers: a bounded sample, the
-- same for every observer, with the times of each packet's first and last sighting.
--
-- A fingerprint is the TTL and the engine's key of a frame. Whether a packet belongs to the sample depends only on
-- bytes that a NAT does not change. Numbers are in arrays, not in a table for each packet: that takes a tenth of the
-- memory.

local frame_of, usual, cursors, strip_of, bytes, new_buffer, most, most_of_groups = ...

local byte, char, floor, min = string.byte, string.char, math.floor, math.min
local layout = frame_of.layout
local put32 = bytes.put_little32

local SPAN = 16 -- bytes of content in a key; as the engine's limit of that name
local WINDOW = 0.2 -- seconds, after which equal bytes are another packet
local PRIME = usual.PRIME
local RAW = "raw" -- the link of what tcpip.sys logs when it drops a packet, with a TTL that it made up
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
local MOST_BACK = 1024 -- such places that are kept

local PACKET = cursors.PACKET
local LEARN = 1000 -- packets that are looked at for what pywnv wrote

local M = {}

local frame = usual.frame

-- Packets of which some are kept. It has methods, as LuaJIT compiles closures anew for each, and keeps what they hold.
local Store = {}
Store.__index = Store

-- @param room how many are kept at most
-- @param least how many there are, at least
local function new_store(room, least)
  local store = { room = room, index_of = {}, count = 0, level = 1 } -- of the packets, the level-th part belongs to it
  while store.level * 2 * room <= least do
    store.level = store.level * 2
  end
  for part = 1, KEPT do
    store[part] = {}
  end
  return setmetatable(store, Store)
end

-- Leaves half of the packets out.
function Store:shrink()
  self.level = self.level * 2
  local lots, level, stays, left = self[LOT], self.level, {}, 0
  for key, index in pairs(self.index_of) do
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
      moved[part][left] = self[part][index]
    end
    stays[key] = left
  end
  for part = 1, KEPT do
    self[part] = moved[part]
  end
  self.index_of, self.count = stays, left
end

function Store:add(key, drawn, bit)
  local index = self.count + 1
  self.count, self.index_of[key] = index, index
  self[LOT][index], self[PLACES][index], self[FLAWS][index] = drawn, bit, 0
  self[SECONDS][index], self[NANOS][index], self[NUMBER][index] = frame.seconds, frame.nanos, frame.number
  self[LAST_SECONDS][index], self[LAST_NANOS][index] = frame.seconds, frame.nanos
  self[LAST_NUMBER][index] = frame.number
  while self.count > self.room and self.level < PRIME do
    self:shrink()
  end
end

function Store:note(index, bit)
  local seconds, nanos, places, flaws = frame.seconds, frame.nanos, self[PLACES], self[FLAWS]
  local since = seconds - self[SECONDS][index] + (nanos - self[NANOS][index]) / 1e9
  local after = seconds - self[LAST_SECONDS][index] + (nanos - self[LAST_NANOS][index]) / 1e9
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
    self[SECONDS][index], self[NANOS][index], self[NUMBER][index] = seconds, nanos, frame.number
  elseif after > 0 then
    self[LAST_SECONDS][index], self[LAST_NANOS][index], self[LAST_NUMBER][index] = seconds, nanos, frame.number
  end
end

--- Keeps the packet in `frame`, if it belongs to the sample.
-- @param key of it, with the TTL
function Store:keep(key, drawn)
  if drawn % self.level > 0 then
    return
  end
  local index, bit = self.index_of[key], BIT[frame.interface.number % MOST_BITS]
  if index then
    self:note(index, bit)
  else
    self:add(key, drawn, bit)
  end
end

--- All of it, as two texts: of each packet the seconds and nanoseconds of its first sighting (2 * 4 bytes) and its
-- number (5), the same of its last sighting, whether an interface showed it several times (1), and the length of its
-- fingerprint (1); all fingerprints: the TTL, and the key.
function Store:text()
  local numbers, keys = new_buffer(), new_buffer()
  for key, index in pairs(self.index_of) do
    local flaws = self[FLAWS][index]
    if flaws < SENT_AGAIN then
      for part = SECONDS, LAST_NUMBER do
        local value = self[part][index]
        numbers:put(put32(value % 4294967296))
        if part == NUMBER or part == LAST_NUMBER then
          numbers:put(char(floor(value / 4294967296)))
        end
      end
      numbers:put(char(flaws, #key))
      keys:put(key)
    end
  end
  return numbers:get(), keys:get()
end

local Sample = {}
Sample.__index = Sample

--- An empty sample.
-- @param least how many packets there are, at least
-- @return table: packets and groups: stores, the latter of what goes to a group, which comes to two observers by
--   different ways; seconds and nanos of the first packet that has a time; latest: seconds from that to the last one;
--   back: where the file runs back in time: tables of the number of a packet, and by how many seconds it is earlier
--   than the one before
function M.new(least)
  local stores = { packets = new_store(most, least), groups = new_store(most_of_groups, 0), back = {} }
  return setmetatable(stores, Sample)
end

--- Reads the packet in `usual.frame`, and takes it if it belongs to the sample.
function Sample:read()
  frame.kind, frame.stop = frame.interface.kind, frame.at + min(frame.captured, usual.HEADERS) - 1
  frame_of.read(frame, SPAN)
  if not frame.has_transport or frame.link == RAW and frame.ttl <= 1 then
    return
  end
  local is_group = frame.l2 and byte(frame.buf, frame.l2) % 2 == 1
  local store = is_group and self.groups or self.packets
  local rest = layout(frame.key).rest
  local drawn = usual.lot(frame.ident, byte(frame.key, rest, rest + 7))
  if drawn and #frame.key < LONGEST then
    store:keep(char(frame.ttl) .. frame.key, drawn)
  end
end

--- Takes the packet where a cursor stands.
-- @param number of it
function Sample:take(cursor, number)
  local seconds, nanos, back = cursor.seconds, cursor.nanos, self.back
  if not seconds or seconds <= 0 or seconds >= 4294967296 then
    return
  elseif not self.latest then
    self.seconds, self.nanos, self.latest = seconds, nanos, 0
  end
  local since = seconds - self.seconds + (nanos - self.nanos) / 1e9
  if since < self.latest - usual.LEAST_BACK and #back < MOST_BACK then
    back[#back + 1] = { number, self.latest - since }
  end
  self.latest = since
  frame.interface, frame.seconds, frame.nanos, frame.number = cursor.interface, seconds, nanos, number
  frame.buf, frame.at, frame.captured, frame.length = cursor:text(), cursor.data, cursor.captured, cursor.length
  self:read()
end

local strip -- once a packet has options

-- Whether a packet has a comment by which pywnv says what it found.
local function is_annotated(cursor)
  local at = cursor.data + cursor.captured + -cursor.captured % 4
  if cursor.kind ~= PACKET or at + 7 >= cursor.stop then
    return false
  end
  strip = strip or strip_of()
  local _, is_own = strip.options(cursor:text(), at, cursor.stop - 4, cursor.is_big and -1 or 1)
  return is_own
end

--- Takes all whole blocks of what a cursor was fed.
-- @param number of the packet before
-- @return the number of the last packet; nil or what is wrong behind it
function M.scan(cursor, sample, number)
  while true do
    if number >= LEARN then
      number = usual.pass(cursor, sample, number)
    end
    local found, problem = cursor:next()
    if not found then
      return number, problem
    elseif cursor:is_packet() then
      number = number + 1
      sample.is_annotated = sample.is_annotated or number <= LEARN and is_annotated(cursor)
      sample:take(cursor, number)
    end
  end
end

return M
