--- Routes: at which places of one hop packets are seen one after another, and how long each step takes.
--
-- A port that is mirrored twice, a trace of several edges of one component, a router that is recorded on both sides:
-- each shows every packet of some senders in the same way. The engine learns this for each sender and receiver (a
-- class), and for all packets that begin at a place. It learns only from packets that their identity alone proved, and
-- only once no further sighting is expected: otherwise an incomplete packet would teach that nothing more comes.

local limits = ...

local abs, max, min = math.abs, math.max, math.min

local M = {}

-- How long a step takes: the shortest and the longest of the last ones, so that what changes is learned.
local function new_step()
  return { shortest = math.huge, longest = 0, older_shortest = math.huge, older_longest = 0, number = 0 }
end

local function time_step(step, took)
  if step.number >= limits.taught then
    step.older_shortest, step.older_longest = step.shortest, step.longest
    step.shortest, step.longest, step.number = math.huge, 0, 0
  end
  step.shortest, step.longest, step.number = min(step.shortest, took), max(step.longest, took), step.number + 1
end

local MOSTLY = 0.5 -- more than half

--- Nothing is known yet.
function M.new()
  return { counts = {}, begins = {}, steps = {}, length = 0, hits = 0, misses = 0, doubt = 0 }
end

-- The sightings of a packet at the hop that shows it being taught.
local places, times = {}, {}

-- How often each place is among the first so many.
local function count_places(length)
  local counts = {}
  for at = 1, length do
    counts[places[at]] = (counts[places[at]] or 0) + 1
  end
  return counts
end

local function is_usual(route, length)
  if route.length ~= length or not route.counts[places[1]] then
    return false
  elseif length == 1 then
    return true
  end
  local counts = count_places(length)
  for at = 1, length do
    if counts[places[at]] ~= route.counts[places[at]] then
      return false
    end
  end
  return true
end

-- Of the last packets, the share that went another way: what was learned must not outlive its truth.
local function doubt(route, what)
  route.doubt = route.doubt + (what - route.doubt) / limits.doubted
end

local function learn(route, length)
  if is_usual(route, length) then
    route.hits = route.hits + 1
    if route.doubt > 0 then
      doubt(route, 0)
    end
  else
    route.misses = route.misses + 1
    doubt(route, 1)
    if route.misses <= route.hits and route.doubt < MOSTLY then
      return
    end
    route.length, route.hits, route.misses, route.counts, route.steps = length, 1, 0, count_places(length), {}
    route.begins, route.doubt = {}, 0
    for at = 2, length do
      route.steps[at] = new_step()
    end
  end
  local begins = route.begins
  begins[places[1]] = (begins[places[1]] or 0) + 1
  if route.hits + route.misses >= 2 * limits.taught then
    route.hits, route.misses = route.hits / 2, route.misses / 2
    for place, count in pairs(begins) do
      begins[place] = count / 2
    end
  end
  for at = 2, length do
    time_step(route.steps[at], abs(times[at] - times[at - 1]))
  end
end

-- Gathers the sightings of a packet at the hop that shows it an at-th time; how many.
local function gather(packet, at, hop)
  local length = 0
  for other = at, packet.node.depth do
    if packet.places[other].hop == hop then
      length = length + 1
      places[length], times[length] = packet.places[other], packet.times[other]
    end
  end
  return length
end

-- Packets to a group take other ways than the others.
local function kind_of(node)
  return node.is_group and "to_group" or "to_one"
end

-- Learns for all packets of a kind past a hop: where they all are seen at one place, it does not matter at which. It
-- writes into `places`, which is not read after it.
local function learn_of_all(at_hop, node, length)
  local kind, first = kind_of(node), places[1]
  for at = 1, length do
    places[at] = places[at] == first and at_hop or places[at]
  end
  at_hop[kind] = at_hop[kind] or M.new()
  learn(at_hop[kind], length)
end

local function count(at_hop, what)
  at_hop[what] = at_hop[what] + 1
  if at_hop.once + at_hop.more >= 2 * limits.taught then
    at_hop.once, at_hop.more = at_hop.once / 2, at_hop.more / 2
  end
end

--- Whether the last packet was seen otherwise than a route says, or several of the last ones were.
function M.is_doubted(route)
  return route.doubt >= 1 / limits.doubted
end

--- Whether a hop does not show each packet once any more.
-- @param route of some, as long as it says that each shows once, or nil
function M.has_changed(at_hop, node, route)
  local others = at_hop[kind_of(node)]
  if not others then
    return false
  end
  return others.doubt >= MOSTLY or others.length > 1 and (not route or M.is_doubted(route))
end

--- Notes that a packet may have been seen again at a hop that shows each once.
-- @param route that says so
function M.note_doubt(route, at_hop, node)
  local others = at_hop[kind_of(node)]
  doubt(route, 1)
  if others then
    doubt(others, 1)
  end
end

--- What one packet that is not seen again teaches: its class, and the places where it came to each hop.
function M.teach(packet)
  local class, node = packet.flow.class, packet.node
  local last = nil
  for at = 1, node.depth do
    local place = packet.places[at]
    local hop = place.hop
    local length = node.counts[hop]
    if length > 1 and hop ~= last then
      length = gather(packet, at, hop) == length and length or 0 -- else it was here before
    elseif length > 1 then
      length = 0
    else
      places[1] = place
    end
    last = hop
    if length > 0 then
      local route = class.routes[hop]
      if not route then
        if class.route_count >= limits.hops then
          class.routes, class.route_count = {}, 0
        end
        route = M.new()
        class.routes[hop], class.route_count = route, class.route_count + 1
      end
      learn(route, length)
      learn(place.route, length)
      local at_hop = place.at_hop
      count(at_hop, length == 1 and "once" or "more")
      at_hop.most = max(at_hop.most, length)
      learn_of_all(at_hop, node, length)
    end
  end
end

--- The usual route past a hop: of a class or, where nothing is known of that, of all that begins at a place; nil if
-- none is known, or packets go different ways.
-- @return table: length (sightings), counts (of them, by place; mirrors may change their order), begins (of packets, by
--   place), steps (see `step`), hits and misses, doubt (share of the last packets that went another way)
function M.usual(class, hop, place)
  local route = class.routes[hop]
  if not route and place then
    route = place.route
  end
  if route and route.hits > 0 and route.doubt < MOSTLY then
    return route.hits >= limits.agreement * (route.hits + route.misses) and route or nil
  end
  return nil
end

--- The usual route past the hop of a place, where nothing is known of a class nor of the place, but all others go it.
function M.of_others(class, place, node)
  if class.routes[place.hop] or place.route.hits + place.route.misses > 0 then
    return nil
  end
  local at_hop = place.at_hop
  local route = at_hop[kind_of(node)]
  local is_sure = route and route.hits >= limits.hop_once and route.hits >= limits.once_share * route.misses
  return is_sure and route.counts[at_hop] == route.length and route or nil
end

--- Whether packets may be seen first at a place: enough others were.
function M.begins_at(route, place)
  return ((route.begins[place] or 0) + 1) * limits.begins >= route.hits
end

--- The shortest and the longest that the step to the n-th sighting of a route took lately.
function M.step(route, n)
  local step = route.steps[n]
  return min(step.shortest, step.older_shortest), max(step.longest, step.older_longest)
end

return M
