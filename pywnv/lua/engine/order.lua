--- The order in which packets pass: a packet without an identity keeps its place between packets with one.
--
-- From packets with an identity the engine learns where those of each sender begin, and between which hops no packet of
-- a flow ever overtook another. Then a packet that was seen at the first of two hops only, while a later one was seen
-- at both, is lost; and a frame at the hop where its sender's packets begin is a new packet.

local limits = ...

local abs, max = math.abs, math.max

local M = {}

--- Notes that a hop shows a packet of a sender. If that begins here, as the first one that the hop shows, what began at
-- other hops before may have passed here, unseen.
function M.note_shown(sender, hop, is_begin)
  local begins = sender.begins
  if begins[hop] then
    return
  elseif sender.begin_count >= limits.hops then
    begins, sender.begin_count = {}, 0
    sender.begins = begins
  end
  for _, begin in pairs(begins) do
    begin.here = is_begin and 0 or begin.here
  end
  begins[hop], sender.begin_count = { here = 0, doubt = 0 }, sender.begin_count + 1
end

-- Learns that a proved packet came to a hop from elsewhere: another hop may have begun to show packets.
local function note_came(sender, hop)
  local begin = sender.begins[hop]
  if begin then
    begin.doubt = 1
  end
end

--- Notes where a proved packet was seen first, and where further on; the file may be in another order.
-- @param sender of the packet: a table in which `begins` is kept
-- @param is_settled whether it is not seen again
function M.note_begin(sender, packet, is_settled)
  local places, times, first, depth = packet.places, packet.times, packet.earliest, packet.node.depth
  local is_noted = first == 1 and depth > 1 and times[2] > times[1] and places[2].hop ~= places[1].hop
  if is_settled and is_noted then
    return -- with its second sighting
  end
  local hop = places[first].hop
  M.note_shown(sender, hop, false)
  local begin = sender.begins[hop]
  begin.here, begin.doubt = begin.here + 1, begin.doubt * (1 - 1 / limits.doubted)
  for at = 1, depth > 1 and depth or 0 do -- not one round: see note_ways
    if places[at].hop ~= hop then
      note_came(sender, places[at].hop)
    end
  end
end

--- Whether the packets of a sender begin at a hop, as far as is known; none of the last ones came from elsewhere.
function M.begins_at(sender, hop)
  local begin = sender.begins[hop]
  return begin ~= nil and begin.here >= limits.begin and begin.doubt < 1 / limits.doubted
end

-- The number of the way from one hop to another, in order of time; when a packet set out on it, and came there.
local function way_between(place, time, other_place, other_time)
  if time > other_time then
    return other_place.hop_index * 65536 + place.hop_index, other_time, time
  end
  return place.hop_index * 65536 + other_place.hop_index, time, other_time
end

local function new_way(known, which)
  if not known.ways or known.way_count >= (known.most_ways or limits.ways_of_flow) then
    known.ways, known.way_count = {}, 0
  end
  local way = { kept = 0, broken = 0, longest = 0, older_longest = 0, number = 0 }
  known.ways[which], known.way_count = way, known.way_count + 1
  return way
end

-- Notes when a proved packet set out on a way, and came there.
-- @param known of its flow, or of all: a table in which `ways` are kept, at most this many (most_ways)
-- @param flow  of the packet
local function note_way(known, flow, which, left, came)
  local way = known.ways and known.ways[which] or new_way(known, which)
  if way.number >= limits.taught then
    way.older_longest, way.longest, way.number = way.longest, 0, way.number % limits.taught
  end
  way.longest, way.number = max(way.longest, came - left), way.number + 1
  local last_left = way.left
  if last_left then
    local ahead, last_came = left - last_left, way.came
    if ahead * (came - last_came) < 0 then
      way.broken = way.broken + 1
    elseif flow ~= way.flow and ahead > 0 and left < last_came then
      way.kept = way.kept + 1 -- both were on their way at once, and one could have overtaken the other
    end
    if ahead <= 0 then
      return
    end
  end
  way.left, way.came, way.flow = left, came, flow
end

-- The same, from a sighting to the frame; a loop of two rounds would stop a tracing compiler (docs/performance.md).
local function note_ways(packet, frame, all, at)
  local place, flow = packet.places[at], packet.flow
  if place.hop ~= frame.hop then
    local which, left, came = way_between(place, packet.times[at], frame.place, frame.time)
    note_way(flow, flow, which, left, came)
    note_way(all, flow, which, left, came)
  end
end

--- Learns that a proved packet shows at one more place.
-- @param all what is known of the order of all packets: a table as `known`
function M.note_sighting(packet, frame, all)
  local places, depth, flow = packet.places, packet.node.depth, packet.flow
  -- From the two sightings before: a packet may be lost between the first hop and the last.
  note_ways(packet, frame, all, depth)
  if depth > 1 then
    note_ways(packet, frame, all, depth - 1)
  end
  if frame.time > packet.first_time and places[1].hop ~= frame.hop then
    if depth == 1 then
      M.note_begin(flow.sender, packet, false)
    end
    note_came(flow.sender, frame.hop)
  end
end

--- Learns from a packet without an identity whether packets of different flows keep their order: it compares when this
-- one and the last proved packet were seen at the same two places.
function M.note_weak(packet, frame, all)
  local at = packet.node.depth
  local last = packet.places[at]
  if last.hop == frame.hop then
    return
  end
  local which, left, came = way_between(last, packet.times[at], frame.place, frame.time)
  local way = all.ways and all.ways[which]
  if not way or not way.left or way.flow == packet.flow then
    return
  elseif (left - way.left) * (came - way.came) < 0 then
    way.broken = way.broken + 1
  elseif left > way.left and left < way.came then
    way.kept = way.kept + 1
  end
end

--- Whether a packet that was seen at one place cannot come to another any more, as a later one has passed both.
-- @param time, other_time when it was seen at the one, and when a frame was seen at the other
function M.is_overtaken(known, place, time, other_place, other_time)
  local which, left, came = way_between(place, time, other_place, other_time)
  local way = known.ways and known.ways[which]
  return way and left < way.left and came > way.came or false
end

--- How long a packet that cannot be told by identity may take between two places.
-- @return seconds; the longest that a proved one took lately, or nil
function M.longest(all, place, time, other_place, other_time)
  local way = all.ways and all.ways[way_between(place, time, other_place, other_time)]
  if not way then
    return limits.weak_step, nil
  end
  local longest = max(way.longest, way.older_longest)
  return max(limits.longest_gap * longest, limits.least_weak_step), longest
end

--- How long a packet took from where it was seen last, if a frame shows it; and how long it may take: see `longest`.
-- @return seconds; then what `longest` returns
function M.step(all, packet, frame)
  local last, time = packet.places[packet.node.depth], packet.last_time
  return abs(frame.time - time), M.longest(all, last, time, frame.place, frame.time)
end

--- Whether packets of different flows never overtook each other on a way, where they could.
function M.is_kept(all, place, time, other_place, other_time)
  local way = all.ways and all.ways[way_between(place, time, other_place, other_time)]
  return way ~= nil and way.kept >= limits.in_order and way.kept >= limits.order_share * way.broken
end

return M
