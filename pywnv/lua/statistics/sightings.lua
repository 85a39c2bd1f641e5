--- What is counted of each sighting of a packet, and what is remembered of the last frames.

local limits, codes = ...

local floor, max, min = math.floor, math.max, math.min

local SLOTS = limits.slots
local NANO = 1e9
local OUTER = { [codes.role.pNIC] = true, [codes.role.tNIC] = true }

local M = {}

--- The sightings of one capture.
-- @param total      what is counted of the whole capture
-- @param places     as `places.new` gives it
-- @param over_time  a scale, as `timeline.new` gives it
-- @param duplicates a series
-- @param add        as `timeline.add`
-- @return table: note, count, catch_up, packet; of_verdict: frames by verdict; and of the last SLOTS frames, by slot:
--   hops, packets, previous, times, rewritten, verdicts
function M.new(total, places, over_time, duplicates, add)
  local hops, packets, previous, times, rewritten, verdicts = {}, {}, {}, {}, {}, {}
  local of_verdict = {}
  local sightings = {
    hops = hops, packets = packets, previous = previous, times = times, rewritten = rewritten, verdicts = verdicts,
    of_verdict = of_verdict,
  }

  --- Remembers a frame.
  function sightings.note(number, said, hop, time)
    local at = number % SLOTS
    hops[at], packets[at] = hop, said.packet
    previous[at], times[at] = said.previous or false, time or false
    rewritten[at], verdicts[at] = said.rewritten or false, said.verdict
  end

  --- The packet that a frame shows, if it is remembered.
  function sightings.packet(number)
    return packets[number % SLOTS]
  end

  -- Counts the step to a sighting.
  local function take_step(record, number, path, before_number, hop, time, time_bin)
    local from, before = hops[before_number % SLOTS], times[before_number % SLOTS]
    if number - before_number >= SLOTS or not time or not before then
      return
    end
    local fork = path and places.branches(path)
    if fork and fork.has and not (OUTER[from.role] and OUTER[hop.role]) then
      if not fork.at_first then
        return -- nobody knows from which hop it came
      end
      from, before = record.first_hop, times[record.packet % SLOTS] or time
    end
    local seconds = floor((time - before) * NANO + 0.5) / NANO
    if seconds < 0 then
      from, hop, seconds = hop, from, -seconds
    end
    places.step(from, hop, seconds, number, record.packet, time_bin)
  end

  --- Counts a sighting that is remembered.
  -- @param path of it, or nil
  function sightings.count(record, number, path)
    local at = number % SLOTS
    local hop, time, verdict = hops[at], times[at] or nil, verdicts[at]
    local time_bin = time and over_time.bin(time)
    local bit = hop.index <= limits.masked and 2 ^ (hop.index - 1) or 0
    local is_new = bit == 0 or floor(record.mask / bit) % 2 == 0
    if is_new then
      record.mask = record.mask + bit
    end
    if time then
      total.first_time, total.last_time = min(total.first_time or time, time), max(total.last_time or time, time)
    end
    total.frames = total.frames + 1
    of_verdict[verdict] = (of_verdict[verdict] or 0) + 1
    places.see(hop, number, time, time_bin, is_new)
    if not record.first_hop then
      record.first_hop, record.first_time = hop, time or false
    end
    if previous[at] then
      total.duplicates = total.duplicates + 1
      add(duplicates, time_bin, 1)
      take_step(record, number, path, previous[at], hop, time, time_bin)
    end
    record.path, record.last_frame = path or false, number
    if not record.end_hop or not time or not record.end_time or time >= record.end_time then
      record.end_time, record.end_hop, record.end_frame = time or false, hop, number
    end
  end

  --- Counts the sightings of a packet up to one that was not counted, as far as they are remembered.
  function sightings.catch_up(record, number)
    local chain = {}
    local after = math.huge -- only what came before it, and within as many frames as are remembered, counts
    while number and number < after and packets[number % SLOTS] == record.packet do
      chain[#chain + 1], after, number = number, number, previous[number % SLOTS]
    end
    for at = #chain, 1, -1 do
      sightings.count(record, chain[at], nil)
    end
  end

  return sightings
end

return M
