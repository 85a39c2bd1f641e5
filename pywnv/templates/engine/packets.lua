--- Groups frames into packets: keeps the packets of the last moments and finds the one that a frame shows again.
--
-- At another hop, the same key and content soon after are the same packet. Each packet takes each hop's next
-- sighting in order, so a burst of packets with the same bytes is never merged. At the same hop it is another
-- packet.

local codes, link, path = ...

local abs, floor, max, min, sub = math.abs, math.floor, math.max, math.min, string.sub
local passes, learn = path.passes, path.learn

-- A generation of packets is forgotten as a whole, once the next one is full: when it spans the window and the
-- disorder of the file, or holds too much. Interfaces may come in batches, so it holds a few packets however old.
local LEAST_PACKETS = 2048
local MOST_PACKETS = 16384
local MOST_BYTES = 8 * 1024 * 1024
local SLOTS = 2 * MOST_PACKETS
local MOST_DISTANCE = 2 ^ 20 -- in frames, so that a body can remember two distances in one number
local MOST_TRIES = 64 -- candidates looked at for one frame
local SPAN = 16 -- bytes of content in a key; fewer once the capture turns out to be cut shorter

-- How long a step may take, as a multiple of the longest known lately, or in seconds (NEW_: a step never taken yet).
-- Up to LOOSE it is believed; only within TIGHT may a packet overtake one that waits beyond LOOSE and so seems lost.
local LOOSE, LEAST_LOOSE, NEW_LOOSE = 3, 60e-6, 250e-6
local TIGHT, LEAST_TIGHT, NEW_TIGHT = 1.5, 15e-6, 60e-6
local MOST_SKIPS = 256 -- packets of a queue that a frame may rule out for its hop at once

-- `soft` of `key`: TTL * 2^32 + IP checksum * 2^16 + transport checksum.
local TTL, CHECKSUM = 4294967296, 65536
local VERDICT, EVIDENCE, REWRITTEN = codes.verdict, codes.evidence, codes.rewritten

local M = {}

-- What differs between two sightings of one packet in its link header, as a sum of REWRITTEN.
local function link_changes(hop, earlier_hop, header, earlier_header)
  if hop.kind ~= "ethernet" or earlier_hop.kind ~= "ethernet" then
    return REWRITTEN.link
  end
  local what = 0
  if sub(header, 1, 12) ~= sub(earlier_header, 1, 12) then
    what = REWRITTEN.mac
  end
  local tags, earlier_tags = link.tags(header), link.tags(earlier_header)
  if tags ~= earlier_tags then
    what = what + REWRITTEN.vlan
  end
  if sub(header, 13 + #tags) ~= sub(earlier_header, 13 + #earlier_tags) then
    what = what + REWRITTEN.link
  end
  return what
end

-- The same for what hops change in the network and transport headers.
local function soft_changes(soft, earlier)
  local what = 0
  if soft % 1 > 0 or earlier % 1 > 0 then -- a transport checksum was not captured
    soft, earlier = floor(soft / CHECKSUM) * CHECKSUM, floor(earlier / CHECKSUM) * CHECKSUM
  end
  if floor(soft / TTL) ~= floor(earlier / TTL) then
    what = REWRITTEN.ttl -- and with it the IP checksum
    soft, earlier = soft % CHECKSUM, earlier % CHECKSUM
  end
  if soft % TTL ~= earlier % TTL then
    what = what + REWRITTEN.checksum
  end
  return what
end

--- A grouping of the frames of one capture.
-- @param window longest time between two sightings of one packet, in seconds
-- @return table: step, alone, undo, span, shorten; found
function M.new(window)
  local paths = path.new()

  -- Packet `id` (1, 2, ...) lives in slot id % SLOTS + 1 of each of these.
  local first_frame, first_time, last_frame, last_time = {}, {}, {}, {}
  local keys, contents, cuts, nodes, headers, softs, first_softs = {}, {}, {}, {}, {}, {}, {}
  local newest = 0
  local young_from, old_from, bytes = 1, 1, 0 -- the first packets of both generations; bytes of the young
  local latest, disorder = -math.huge, 0 -- the largest time so far, and how far time ran back behind it

  -- key -> the id of the only packet with it, or a queue of ids: { first =, last =, taken = { [hop] = index } }
  -- A queue that gets a new packet moves into the young generation; its old packets leave it as they expire.
  local young, old = {}, {}

  -- The last step, so that it can be undone: Wireshark's read filter dissects a frame before it counts.
  local undo_id, undo_joined, undo_frame, undo_time, undo_node, undo_header, undo_soft, undo_peak
  local undo_queue, undo_hop, undo_taken, undo_entry

  -- What the last step found: the caller reads it before the next one.
  local found = {}
  -- span: how many bytes of content a key must hold now.
  local grouping = { found = found, span = SPAN }

  local function prune(queue)
    local first = queue.first
    while first <= queue.last and queue[first] < old_from do
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
      prune(entry)
      entry.last = entry.last + 1
      entry[entry.last] = id
      young[key] = entry
    else
      young[key] = { entry, id, first = 1, last = 2, taken = {} }
    end
  end

  local function next_generation()
    for id = old_from, young_from - 1 do
      local slot = id % SLOTS + 1
      keys[slot], contents[slot], headers[slot], nodes[slot] = nil, nil, nil, nil
    end
    old, young = young, {}
    old_from, young_from, bytes = young_from, newest + 1, 0
  end

  local function is_full(more)
    local count = newest - young_from + 1
    return bytes + more > MOST_BYTES
      or count >= MOST_PACKETS
      or count >= LEAST_PACKETS and first_time[young_from % SLOTS + 1] < latest - window - 2 * disorder
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

  -- Whether a frame can be the next sighting of the packet in a slot, at a hop where it has not been seen.
  local function fits(slot, number, time, hop, content, cut, soft)
    local known_content = contents[slot]
    if known_content ~= content then
      local have, had = #content, #known_content
      if have < had then
        if not cut or sub(known_content, 1, have) ~= content then
          return false
        end
      elseif had == have or not cuts[slot] or sub(content, 1, had) ~= known_content then
        return false
      end
    end
    local gap = time - last_time[slot]
    if gap > window or -gap > window or number - first_frame[slot] >= MOST_DISTANCE then
      return false
    end
    local known_soft = softs[slot]
    if soft ~= known_soft then
      local ttl, known_ttl = floor(soft / TTL), floor(known_soft / TTL)
      if ttl ~= known_ttl and (ttl > known_ttl) == (gap >= 0) then
        return false -- a TTL never rises on the way
      end
    end
    return not passes(nodes[slot], hop)
  end

  -- The packet of a queue that a frame shows: the first that waits, unless that seems to be lost.
  local function search(queue, number, time, hop, content, cut, soft)
    prune(queue)
    local index = max(queue.first, (queue.taken[hop] or 0) + 1)
    local furthest = min(queue.last, index + MOST_SKIPS)
    while index <= furthest do
      local slot = queue[index] % SLOTS + 1
      if time - last_time[slot] <= window and not passes(nodes[slot], hop) then
        break
      end
      index = index + 1
    end
    queue.taken[hop] = index - 1 -- this hop's next sightings are of later packets
    local first
    for try = index, min(index + MOST_TRIES, queue.last) do
      local slot = queue[try] % SLOTS + 1
      if fits(slot, number, time, hop, content, cut, soft) then
        local step = nodes[slot].next[hop]
        local peak = step and step.peak
        local took = abs(time - last_time[slot])
        if took <= (peak and max(LOOSE * peak, LEAST_LOOSE) or NEW_LOOSE) then
          local overtakes = first and took <= (peak and max(TIGHT * peak, LEAST_TIGHT) or NEW_TIGHT)
          return overtakes and try or first or try
        end
        first = first or try
      end
    end
    return first -- all wait long: the way has become slower
  end

  local function join(id, number, time, hop, header, soft, alone)
    local slot = id % SLOTS + 1
    local earlier = nodes[slot]
    local node = earlier.next[hop] or paths:step(earlier, hop)
    if not node then
      return nil
    end
    local before, earlier_soft = last_time[slot], softs[slot]
    undo_id, undo_joined = id, true
    undo_frame, undo_time, undo_node = last_frame[slot], before, earlier
    undo_header, undo_soft, undo_peak = headers[slot], earlier_soft, node.peak
    if alone then
      learn(node, abs(time - before))
    end
    local what = soft == earlier_soft and 0 or soft_changes(soft, earlier_soft)
    found.verdict = VERDICT.duplicate
    found.evidence = what == 0 and EVIDENCE.bytes or EVIDENCE.rewritten
    if header ~= headers[slot] then
      what = what + link_changes(hop, earlier.hop, header, headers[slot])
    end
    found.rewritten = what
    found.packet, found.previous = first_frame[slot], last_frame[slot]
    found.delta, found.elapsed = time - before, time - first_time[slot]
    nodes[slot], headers[slot], softs[slot] = node, header, soft
    last_frame[slot], last_time[slot] = number, time
    return node
  end

  -- The same bytes at the same hop within the window: sent twice, or doubled by the network. Only a packet that went
  -- on to another hop since proves that this capture does not simply record each frame more than once.
  local function repeats(entry, time, hop, content, soft)
    local id = entry
    if type(entry) == "table" then
      id = entry[entry.last]
    end
    if not id or id < old_from then
      return false
    end
    local slot = id % SLOTS + 1
    return nodes[slot].depth > 1
      and contents[slot] == content
      and (softs[slot] == soft or first_softs[slot] == soft)
      and abs(time - last_time[slot]) <= window
      and passes(nodes[slot], hop)
  end

  local function add(number, time, hop, key, content, cut, header, soft, verdict)
    local node = paths:step(nil, hop)
    if time > latest then
      latest = time
    elseif latest - time > disorder then
      disorder = latest - time
    end
    local size = #content + #key + #header
    if is_full(size) then
      next_generation()
    end
    newest = newest + 1
    local slot = newest % SLOTS + 1
    first_frame[slot], first_time[slot], last_frame[slot], last_time[slot] = number, time, number, time
    keys[slot], contents[slot], cuts[slot] = key, content, cut
    nodes[slot], headers[slot], softs[slot], first_softs[slot] = node, header, soft, soft
    bytes = bytes + size
    undo_id, undo_joined, undo_entry = newest, false, young[key]
    remember(newest, key)
    found.verdict, found.evidence, found.rewritten = verdict, EVIDENCE.none, 0
    found.packet, found.previous, found.delta, found.elapsed = number, nil, nil, nil
    return node
  end

  --- Takes the next frame.
  -- @param number  its number, counting up from 1
  -- @param time    seconds since any fixed moment
  -- @param hop     table: the place it was seen at, always the same table for the same place
  -- @param key, content, soft, cut  as `key.read` gives them
  -- @param header  string: its link header
  -- @return the node of its path; what else was found stands in `found` until the next step
  function grouping.step(number, time, hop, key, content, soft, cut, header)
    local entry = young[key] or old[key]
    local verdict = VERDICT.original
    undo_queue = nil
    if entry then
      local id, alone
      if type(entry) == "number" then
        alone = true
        id = fits(entry % SLOTS + 1, number, time, hop, content, cut, soft) and entry
      else
        undo_queue, undo_hop, undo_taken = entry, hop, entry.taken[hop]
        local index = search(entry, number, time, hop, content, cut, soft)
        if index then
          id = entry[index]
          alone = index == entry.last
          entry.taken[hop] = index
        end
      end
      local node = id and join(id, number, time, hop, header, soft, alone)
      if node then
        return node
      end
      if repeats(entry, time, hop, content, soft) then
        verdict = VERDICT["repeat"]
      end
    end
    return add(number, time, hop, key, content, cut, header, soft, verdict)
  end

  --- Takes a frame that cannot be grouped, for want of a time.
  function grouping.alone(number, hop)
    undo_id, undo_queue = nil, nil
    found.verdict, found.evidence, found.rewritten = VERDICT.original, EVIDENCE.none, 0
    found.packet, found.previous, found.delta, found.elapsed = number, nil, nil, nil
    return paths:step(nil, hop)
  end

  --- Takes back the last step. What it made forget stays forgotten.
  function grouping.undo()
    if not undo_id then
      return
    end
    local slot = undo_id % SLOTS + 1
    if undo_joined then
      nodes[slot].peak = undo_peak
      last_frame[slot], last_time[slot], nodes[slot] = undo_frame, undo_time, undo_node
      headers[slot], softs[slot] = undo_header, undo_soft
    else
      local key = keys[slot]
      local entry = young[key]
      if type(entry) == "table" then
        entry[entry.last] = nil
        entry.last = entry.last - 1
      end
      young[key] = undo_entry
      bytes = bytes - #contents[slot] - #key - #headers[slot]
      newest = newest - 1
    end
    if undo_queue then
      undo_queue.taken[undo_hop] = undo_taken
    end
    undo_id, undo_queue = nil, nil
  end

  --- Makes keys hold no more than `to` bytes of content, those of the packets known so far too: copies that were cut at
  -- different places share only what both have.
  function grouping.shorten(to)
    local from = grouping.span
    grouping.span, young, old = to, {}, {}
    shorten_keys(from, to, old_from, young_from - 1)
    old, young = young, {}
    shorten_keys(from, to, young_from, newest)
    undo_id = nil
  end

  return grouping
end

return M
