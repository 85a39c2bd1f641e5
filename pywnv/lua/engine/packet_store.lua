--- Remembers the latest packets, by number and by key.
--
-- They are in two generations. When the young one is full, the old one is forgotten as a whole: so no list has to be
-- sorted, and the tables of forgotten packets are used again.

local limits = ...

local min, sub = math.min, string.sub

local TCP = 6
local SLOTS = 2 * limits.packets

local M = {}

-- A packet to fill in. It has all its keys from the start, as a frame and a flow have: then all packets keep them in
-- the same order, and a tracing compiler needs no code for each order (docs/performance.md).
local function new_packet()
  return {
    places = {}, times = {}, id = 0, key = "", content = "", header = "", link = "", cut = false, size = 0,
    mutable = 0, ttl = 0, ident = 0, outer_ident = 0, outer_ends = "", vni = 0, protocol = 0, has_transport = false,
    first_frame = 0, first_time = 0, last_frame = 0, last_time = 0, first_header = "", first_mutable = 0,
    first_ends = "", written_ends = "", earliest = 0, flow = false, node = false, maybe = false, network = 0,
    strength = 0, tag = false, tag_of = false, whole = 0, is_proved = false, has_fallen = false,
    is_ambiguous = false, is_crowded = false, is_dropped = false,
  }
end

--- A store for one capture.
-- @return table: packets, newest; get, find, add, add_sighting, next_generation, shorten
function M.new()
  -- Packet `id` (1, 2, ...) is in packets[id % SLOTS + 1], until it is forgotten.
  local packets = {}
  local young_from, bytes = 1, 0 -- the first packet of the young generation, and the bytes of all
  local store = { packets = packets, oldest = 1, newest = 0, latest = -math.huge, disorder = 0, turned = 0 }
  local last_time = -math.huge

  -- key -> the id of the only packet with it, or a queue of ids: { first =, last =, taken = { [hop] = index },
  -- slipped = { [hop] = until when the count was not sure }, signs = { [hop] = see `losses` } }
  -- A queue that gets a new packet moves into the young generation; its old packets leave it as they expire.
  local young, old = {}, {}

  --- A packet by its id; nil if it is forgotten.
  function store.get(id)
    return id >= store.oldest and id <= store.newest and packets[id % SLOTS + 1] or nil
  end

  --- What is known by a key: a packet's id, a queue of such, or nil.
  function store.find(key)
    return young[key] or old[key]
  end

  -- Whether a packet can be shown no more by a frame of some time, nor by those after it.
  local function is_over(id, time)
    local packet = store.get(id)
    return not packet or time - packet.last_time > limits.window + store.disorder
  end

  -- Takes the first packets out of a queue, as far as they are over.
  local function prune(queue, time)
    local first = queue.first
    while first <= queue.last and is_over(queue[first], time) do
      queue[first] = nil
      first = first + 1
    end
    queue.first = first
  end

  local function remember(id, key, time)
    local entry = young[key] or old[key]
    if entry and type(entry) == "table" then
      prune(entry, time)
      if entry.first <= entry.last then
        entry.last = entry.last + 1
        entry[entry.last] = id
        young[key] = entry
        return
      end
    elseif entry and not is_over(entry, time) then
      young[key] = { entry, id, first = 1, last = 2, taken = {}, slipped = {}, signs = {} }
      return
    end
    young[key] = id
  end

  --- Starts a generation; forgets the one before the last.
  function store.next_generation()
    for id = store.oldest, young_from - 1 do
      local packet = packets[id % SLOTS + 1]
      packet.key, packet.content, packet.header, packet.first_header = nil, nil, nil, nil
      packet.node, packet.flow = nil, nil
    end
    old, young = young, {}
    store.oldest, young_from, bytes = young_from, store.newest + 1, 0
  end

  --- Makes all keys shorter, as a frame has come that was cut so.
  -- @param span, shorter how many bytes of content a key holds at most: so far, and from now on
  function store.shorten(span, shorter)
    old, young = {}, {}
    for id = store.oldest, store.newest do
      local packet = packets[id % SLOTS + 1]
      if packet.protocol ~= TCP or not packet.has_transport then -- its sequence number tells enough: see `key`
        local size = #packet.content
        packet.key = sub(packet.key, 1, #packet.key - min(size, span) + min(size, shorter))
      end
      remember(id, packet.key, packet.first_time)
    end
  end

  --- Notes a frame's time. Where time runs back in the file, also its number: from there on, all may be shown again.
  function store.note_time(time, number)
    if time < last_time - limits.window then
      store.turned = number
    end
    last_time = time
    if time > store.latest then
      store.latest = time
    elseif store.latest - time > store.disorder then
      store.disorder = store.latest - time
    end
  end

  --- Makes room for a packet.
  -- @param size bytes that it will hold
  -- @return whether a generation has been forgotten
  function store.make_room(size)
    if bytes + size > limits.packet_bytes or store.newest - young_from + 1 >= limits.packets then
      store.next_generation()
      return true
    end
    return false
  end

  --- Adds a packet by its first sighting, or what a packet became on its way.
  -- @param frame as `grouper` takes it
  -- @return table: id, key, content, cut, header, link, mutable, ttl, ident, outer_ident, vni, protocol, has_transport,
  --   size of its last sighting as `frame.read` has them; first_frame, first_time, last_frame, last_time; places and
  --   times, by sighting; earliest, the sighting with the earliest time; the caller sets what else there is to know
  function store.add(frame)
    local id, time, number = store.newest + 1, frame.time, frame.number
    local slot = id % SLOTS + 1
    local packet = packets[slot]
    if not packet then
      packet = new_packet()
      packets[slot] = packet
    end
    local key, content, header = frame.key, frame.content, frame.header
    store.newest = id
    packet.id, packet.key, packet.content, packet.cut, packet.header = id, key, content, frame.cut, header
    packet.link, packet.mutable, packet.ttl, packet.vni = frame.link, frame.mutable, frame.ttl, frame.vni
    packet.ident, packet.size = frame.ident, frame.size
    packet.outer_ident, packet.outer_ends = frame.outer_ident, frame.outer_ends
    packet.protocol, packet.has_transport = frame.protocol, frame.has_transport
    packet.first_frame, packet.first_time, packet.last_frame, packet.last_time = number, time, number, time
    packet.places[1], packet.times[1], packet.earliest = frame.place, time, 1
    bytes = bytes + #content + #key + #header
    remember(id, key, time)
    return packet
  end

  --- Notes where and when a packet was seen once more.
  -- @param at how many times it has been seen with this
  function store.add_sighting(packet, at, frame)
    packet.places[at], packet.times[at] = frame.place, frame.time
    if frame.time < packet.times[packet.earliest] then
      packet.earliest = at
    end
  end

  return store
end

return M
