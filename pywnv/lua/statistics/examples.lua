--- Collects example packets with all their sightings: a typical one of each path, the slowest of all, and the first
-- ones that were dropped.

local limits = ...

local M = {}

--- Gathers examples.
-- @param seen as `sightings.new` gives it
-- @return table: close, list
function M.new(seen)
  local slots = limits.slots
  local dropped, dropped_why = {}, {}
  local slowest, longest
  local examples = {}

  -- The sightings of a packet, the last first. That of its first frame may be gone from the rings.
  local function sightings(record)
    local found, number = { is_list = true }, record.last_frame
    while number and #found < limits.sightings and record.last_frame - number < slots do
      local at, is_first = number % slots, number == record.packet
      local time = is_first and record.first_time or not is_first and seen.times[at]
      found[#found + 1] = {
        frame = number,
        hop = (is_first and record.first_hop or seen.hops[at]).index,
        elapsed = time and record.first_time and time - record.first_time or nil,
        rewritten = not is_first and seen.rewritten[at] or nil,
      }
      number = not is_first and seen.previous[at]
    end
    return found
  end

  local function drop_of(record, drop, is_near)
    return {
      frame = drop.frame, place = drop.place, text = drop.text, is_near = is_near, is_event = drop.is_event,
      after = drop.time and record.end_time and drop.time - record.end_time or nil,
    }
  end

  -- All drops of a packet; `near`: one that only the time joins with it, or false.
  local function drops_of(record, near)
    local found = { is_list = true }
    for at = 1, math.min(record.drops and #record.drops or 0, limits.sightings) do
      found[at] = drop_of(record, record.drops[at], false)
    end
    found[#found + 1] = near and drop_of(record, near, true) or nil
    return found
  end

  local function example(kind, record, near)
    local ends, is_back = record.flow or {}, record.is_back
    return {
      kind = kind, packet = record.packet, path = record.path or nil, sightings = sightings(record),
      drops = drops_of(record, near),
      protocol = ends.protocol,
      source = is_back and ends.destination or ends.source,
      destination = is_back and ends.source or ends.destination,
      source_port = is_back and ends.destination_port or ends.source_port,
      destination_port = is_back and ends.source_port or ends.destination_port,
    }
  end

  -- Keeps a packet that was dropped, if none was for this reason there.
  local function take_drop(record, drop, near)
    local why = (drop.text or "") .. "\n" .. (drop.place or "")
    if #dropped >= limits.dropped or dropped_why[why] or drop.harmless then
      return
    end
    dropped_why[why] = true
    dropped[#dropped + 1] = example("dropped", record, near)
  end

  --- Takes a packet of which no more sightings are expected.
  -- @param record  of it, as `count` keeps it
  -- @param near    a drop that only the time joins with it, or false
  -- @param path    where its path is counted
  -- @param is_near whether an event reports its drop by its time only
  function examples.close(record, near, path, is_near)
    near = is_near and near
    for at = 1, record.drops and #record.drops or 0 do
      take_drop(record, record.drops[at], near)
    end
    if near then
      take_drop(record, near, near)
    end
    if record.last_frame == record.packet or not record.end_time or not record.first_time then
      return
    end
    local took = record.end_time - record.first_time
    if took > (longest or 0) then
      longest, slowest = took, example("slowest", record, near)
    end
    -- A usual packet takes about the mean; looked at ever more rarely.
    path.timed, path.sum = (path.timed or 0) + 1, (path.sum or 0) + took
    if path.timed >= (path.next_look or 1) then
      path.next_look = path.timed * 2
      local mean = path.sum / path.timed
      if not path.usual or math.abs(took - mean) < math.abs(path.usual_took - mean) then
        path.usual, path.usual_took = example("typical", record, near), took
      end
    end
  end

  --- All of them; of the usual ones that of the path with the most packets.
  function examples.list(paths)
    local found, most, usual = { is_list = true }, 0, nil
    for at = 1, #dropped do
      found[at] = dropped[at]
    end
    found[#found + 1] = slowest
    for at = 1, #paths do
      local path = paths[at]
      if path.usual and path.packets > most then
        most, usual = path.packets, path.usual
      end
      path.usual, path.usual_took, path.timed, path.sum, path.next_look = nil, nil, nil, nil, nil
    end
    found[#found + 1] = usual
    return found
  end

  return examples
end

return M
