--- The packets of the last moments: by number, and by key. State older than the window goes.

local min, sub = math.min, string.sub

-- A generation of packets is forgotten as a whole, once the next one is full: when it spans the window and the
-- disorder of the file, or holds too much. Interfaces may come in batches, so it holds a few packets however old.
local LEAST_PACKETS = 2048
local MOST_PACKETS = 16384
local MOST_BYTES = 8 * 1024 * 1024
local SLOTS = 2 * MOST_PACKETS

local M = { SLOTS = SLOTS }

--- A memory for one capture.
-- @param window longest time between two sightings of one packet, in seconds
-- @return table: slots, oldest, newest, latest, disorder; slot_of, find, prune, next_generation, make_room, add, undo,
--   shorten
function M.new(window)
  -- Packet `id` (1, 2, ...) lives in slot id % SLOTS + 1 of each of these arrays:
  local first_frame, first_time, last_frame, last_time = {}, {}, {}, {} -- its first and its last sighting
  local keys, contents, softs, transports = {}, {}, {}, {} -- as `key.read` gave them; softs of the last sighting
  local cuts, headers, forms = {}, {}, {} -- the same; the last two of the last sighting
  local nodes = {} -- of its path, at its last sighting
  local first_softs = {}
  local classes = {} -- as `tally.class` gave it; false for a part of another packet
  local shapes, silent = {}, {} -- as `again` keeps them; whether what was seen of it must not teach
  local tags = {} -- packet ids that the capture tool wrote
  local before = {} -- the last of their TCP flow with other bytes, by id, where that had been seen once when they came
  local batches = {} -- the first of the batch in which they seem to have come, by id; nil: it is first, or alone
  local wholes = {} -- larger frames that packets were cut from, or repeat a part of, by their frame
  local slots = {
    first_frame = first_frame,
    first_time = first_time,
    last_frame = last_frame,
    last_time = last_time,
    keys = keys,
    contents = contents,
    softs = softs,
    transports = transports,
    cuts = cuts,
    headers = headers,
    forms = forms,
    nodes = nodes,
    first_softs = first_softs,
    classes = classes,
    shapes = shapes,
    silent = silent,
    tags = tags,
    before = before,
    batches = batches,
    wholes = wholes,
  }
  local young_from, bytes = 1, 0 -- the first packet of the young generation, and its bytes
  local undo_entry
  local memory = { slots = slots, oldest = 1, newest = 0, latest = -math.huge, disorder = 0 }

  -- key -> the id of the only packet with it, or a queue of ids: { first =, last =, taken = { [hop] = index } }
  -- A queue that gets a new packet moves into the young generation; its old packets leave it as they expire.
  local young, old = {}, {}

  --- The slot of a packet that is still remembered, or nil.
  function memory.slot_of(id)
    return id >= memory.oldest and id <= memory.newest and id % SLOTS + 1 or nil
  end

  --- What is known by a key: a packet's id, a queue of such, or nil.
  function memory.find(key)
    return young[key] or old[key]
  end

  --- Takes packets out of a queue that are forgotten.
  function memory.prune(queue)
    local first, oldest = queue.first, memory.oldest
    while first <= queue.last and queue[first] < oldest do
      queue[first] = nil
      first = first + 1
    end
    queue.first = first
  end

  local function remember(id, key)
    local entry = young[key] or old[key]
    if not entry then
      young[key] = id
    elseif type(entry) == "table" then
      memory.prune(entry)
      entry.last = entry.last + 1
      entry[entry.last] = id
      young[key] = entry
    else
      young[key] = { entry, id, first = 1, last = 2, taken = {} }
    end
  end

  --- Starts a generation; forgets the one before the last.
  function memory.next_generation()
    for id = memory.oldest, young_from - 1 do
      local slot = id % SLOTS + 1
      keys[slot], contents[slot], headers[slot], nodes[slot] = nil, nil, nil, nil
      classes[slot], shapes[slot], silent[slot], tags[slot], wholes[slot] = nil, nil, nil, nil, nil
    end
    old, young = young, {}
    memory.oldest, young_from, bytes = young_from, memory.newest + 1, 0
  end

  local function is_full(more)
    local count = memory.newest - young_from + 1
    return bytes + more > MOST_BYTES
      or count >= MOST_PACKETS
      or count >= LEAST_PACKETS and first_time[young_from % SLOTS + 1] < memory.latest - window - 2 * memory.disorder
  end

  --- Notes a frame's time, and makes room for a packet.
  -- @param size bytes that it will hold
  -- @return whether a generation has been forgotten
  function memory.make_room(time, size)
    if time > memory.latest then
      memory.latest = time
    elseif memory.latest - time > memory.disorder then
      memory.disorder = memory.latest - time
    end
    if is_full(size) then
      memory.next_generation()
      return true
    end
    return false
  end

  --- Adds a packet by its first sighting, or what a packet became on its way.
  -- @param frame as `packets` takes it
  -- @param node  of its path
  -- @return its slot
  function memory.add(frame, node)
    local key, content, header = frame.key, frame.content, frame.header
    local id = memory.newest + 1
    local slot = id % SLOTS + 1
    memory.newest = id
    first_frame[slot], first_time[slot], last_frame[slot], last_time[slot] =
      frame.number, frame.time, frame.number, frame.time
    keys[slot], contents[slot], softs[slot], transports[slot] = key, content, frame.soft, frame.transport
    cuts[slot], headers[slot], forms[slot] = frame.cut, header, frame.form
    nodes[slot], first_softs[slot], classes[slot] = node, frame.soft, false
    shapes[slot], silent[slot], tags[slot], wholes[slot] = nil, nil, nil, nil
    before[slot], batches[slot] = nil, nil
    bytes = bytes + #content + #key + #header
    undo_entry = young[key]
    remember(id, key)
    return slot
  end

  --- Takes back the last `add`, but not what it made forget.
  function memory.undo()
    local slot = memory.newest % SLOTS + 1
    local key = keys[slot]
    local entry = young[key]
    if type(entry) == "table" then
      entry[entry.last] = nil
      entry.last = entry.last - 1
    end
    young[key] = undo_entry
    bytes = bytes - #contents[slot] - #key - #headers[slot]
    memory.newest = memory.newest - 1
  end

  local function shorten_keys(from, to, first, last)
    for id = first, last do
      local slot = id % SLOTS + 1
      local key, content = keys[slot], contents[slot]
      local taken = min(from, #content)
      if sub(key, -taken) == sub(content, 1, taken) then -- not so for TCP
        keys[slot] = sub(key, 1, #key - taken) .. sub(content, 1, to)
      end
      remember(id, keys[slot])
    end
  end

  --- Makes keys hold `to` bytes of content, no more `from`.
  function memory.shorten(from, to)
    young, old = {}, {}
    shorten_keys(from, to, memory.oldest, young_from - 1)
    old, young = young, {}
    shorten_keys(from, to, young_from, memory.newest)
  end

  return memory
end

return M
