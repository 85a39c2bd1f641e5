--- Finds the packet of the last moments that a frame shows again, among those with its key.
--
-- At another hop, the same content soon after is the same packet. Each packet takes each hop's next sighting in order,
-- so a burst of packets with the same bytes is never merged. At the same hop, `again` judges.

local proof, memory_of, again_of = ...

local abs, floor, max, min, sub = math.abs, math.floor, math.max, math.min, string.sub

local MOST_DISTANCE = 2 ^ 20 -- in frames, so that a body can remember two distances in one number
local MOST_TRIES = 64 -- candidates looked at for one frame

-- How long a step may take, as a multiple of the longest known lately, or in seconds (NEW_: a step never taken yet).
-- Up to LOOSE it is believed; only within TIGHT may a packet overtake one that waits beyond LOOSE and so seems lost.
local LOOSE, LEAST_LOOSE, NEW_LOOSE = 3, 60e-6, 250e-6
local TIGHT, LEAST_TIGHT, NEW_TIGHT = 1.5, 15e-6, 60e-6
local MOST_SKIPS = 256 -- packets of a queue that a frame may rule out for its hop at once

local MOMENT, STALL = again_of.MOMENT, again_of.STALL
local DUE = 30e-6 -- seconds within which a hop mostly shows a packet again
local MOST_AGAIN, MOST_JUDGED = 32, 16 -- packets with one key that a frame at their hop may show again; with its bytes

local SLOTS = memory_of.SLOTS
local TTL = 4294967296 -- of `soft` of `key`

local M = { MOST_DISTANCE = MOST_DISTANCE }

local function has_other_ttl(soft, earlier)
  return soft ~= earlier and floor(soft / TTL) ~= floor(earlier / TTL)
end

--- A matching for one capture.
-- @param memory, tally, again  of the capture
-- @param window longest time between two sightings of one packet, in seconds
-- @return table: find, undo
function M.new(memory, tally, again, window)
  local slots, slot_of = memory.slots, memory.slot_of
  local first_frame, last_time, keys, contents = slots.first_frame, slots.last_time, slots.keys, slots.contents
  local softs, transports, cuts, nodes, classes = slots.softs, slots.transports, slots.cuts, slots.nodes, slots.classes
  local judged = 0 -- packets that the last frame was compared with by `again`
  local undo_queue, undo_hop, undo_taken
  local matching = {}

  -- Whether a frame's bytes and time are those of a packet's next sighting.
  local function fits(slot, frame)
    local content, known_content = frame.content, contents[slot]
    local soft, known_soft = frame.soft, softs[slot]
    if known_content ~= content then
      local have, had = #content, #known_content
      if have < had then
        if not frame.cut or sub(known_content, 1, have) ~= content then
          return false
        end
      elseif had == have or not cuts[slot] or sub(content, 1, had) ~= known_content then
        return false
      end
    end
    local gap = frame.time - last_time[slot]
    if gap > window or -gap > window or frame.number - first_frame[slot] >= MOST_DISTANCE then
      return false
    end
    if soft ~= known_soft then
      local ttl, known_ttl = floor(soft / TTL), floor(known_soft / TTL)
      if ttl ~= known_ttl and (ttl > known_ttl) == (gap >= 0) then
        return false -- a TTL never rises on the way
      end
      if frame.cut and proof.differs_behind(keys[slot], transports[slot], soft, known_soft) then
        return false
      end
    end
    return true
  end

  -- The packet of a queue that a frame shows at a hop that is new to it: the first that waits, unless that seems lost.
  local function search(queue, frame)
    memory.prune(queue)
    local time, hop = frame.time, frame.hop
    local index = max(queue.first, (queue.taken[hop] or 0) + 1)
    local furthest = min(queue.last, index + MOST_SKIPS)
    while index <= furthest do
      local slot = queue[index] % SLOTS + 1
      if time - last_time[slot] <= window and not nodes[slot].counts[hop] then
        break
      end
      index = index + 1
    end
    queue.taken[hop] = index - 1 -- this hop's next sightings are of later packets
    local first
    for try = index, min(index + MOST_TRIES, queue.last) do
      local slot = queue[try] % SLOTS + 1
      if not nodes[slot].counts[hop] and fits(slot, frame) then
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

  -- Whether the packet that last took a hop is to be seen there once more, before the next one is.
  local function is_unfinished(slot, time, hop)
    local node = nodes[slot]
    return node.hop == hop
      and classes[slot]
      and tally.expects(classes[slot], hop, node.counts[hop] + 1, abs(time - last_time[slot]))
  end

  local function judge(slot, frame)
    if judged >= MOST_JUDGED or not classes[slot] or not fits(slot, frame) then
      return nil
    end
    judged = judged + 1
    return again.judge(slot, frame)
  end

  -- The packet of a queue that a frame shows once more at a hop that has recorded it: first those whose next sighting
  -- is due, then those that wait longer, or were routed between. Returns as `find`.
  local function search_again(queue, frame)
    memory.prune(queue)
    local time, hop, soft = frame.time, frame.hop, frame.soft
    local first, waits, lesson = max(queue.first, queue.last - MOST_AGAIN + 1), false, nil
    local longest = proof.counts(frame.key, frame.transport) and STALL or MOMENT
    for pass = 1, 2 do
      for at = first, queue.last do
        local slot = queue[at] % SLOTS + 1
        local gap, is_routed = abs(time - last_time[slot]), has_other_ttl(soft, softs[slot])
        if nodes[slot].counts[hop] and (gap <= longest or is_routed) then
          if (gap <= DUE and not is_routed) == (pass == 1) then
            local evidence, teaches = judge(slot, frame)
            lesson = teaches and slot
            if evidence then
              return slot, evidence, lesson
            end
          else
            waits = true
          end
        end
      end
      if not waits then
        break
      end
    end
    return nil, nil, lesson
  end

  --- Finds the packet that a frame shows again.
  -- @param entry what `memory` knows by the frame's key
  -- @param frame as `packets` takes it
  -- @return its slot, or nil; the code of the evidence where its hop has recorded it already; the slot of the packet
  --   that teaches by it, there also where the frame is not taken for it; whether no other packet could be meant
  function matching.find(entry, frame)
    local hop = frame.hop
    judged, undo_queue = 0, nil
    if type(entry) == "number" then
      local slot = slot_of(entry)
      if not slot then
        return nil
      elseif nodes[slot].counts[hop] then
        local evidence, teaches = judge(slot, frame)
        return evidence and slot, evidence, teaches and slot
      end
      return fits(slot, frame) and slot or nil, nil, nil, true
    end
    undo_queue, undo_hop, undo_taken = entry, hop, entry.taken[hop]
    local current_id = entry[undo_taken or 0]
    local current = slot_of(current_id or 0)
    local unfinished = current and is_unfinished(current, frame.time, hop)
    local index = (not unfinished or tally.has_batches(classes[current])) and search(entry, frame)
    if unfinished and index and not again.is_one_batch(current_id, entry[index]) then
      index = nil
    end
    if unfinished and not index then
      entry.taken[hop] = undo_taken
    end
    if index then
      entry.taken[hop] = index
      return slot_of(entry[index]), nil, nil, index == entry.last
    end
    return search_again(entry, frame)
  end

  --- Takes back what the last `find` noted.
  function matching.undo()
    if judged > 0 then
      again.undo()
    end
    if undo_queue then
      undo_queue.taken[undo_hop] = undo_taken
    end
  end

  return matching
end

return M
