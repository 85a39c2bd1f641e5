--- What is counted of hops, and of the steps from one to the next.

local limits = ...

local floor, log, max, min, find = math.floor, math.log, math.max, math.min, string.find

local MOST_GAPS = limits.gaps
local OTHERS = "(others)"
local BUCKETS = 100 / log(10) -- of a histogram: a hundred a decade
local NANO = 1e9

local M = {}

-- Keeps a gap if it is one of the longest.
local function keep_gap(gaps, gap)
  local at = #gaps + 1
  while at > 1 and gaps[at - 1].to - gaps[at - 1].from < gap.to - gap.from do
    at = at - 1
  end
  table.insert(gaps, at, gap)
  gaps[MOST_GAPS + 1] = nil
end

--- The hops and steps of one capture.
-- @param over_time a scale, as `timeline.new` gives it
-- @return table: hop, see, step, branches; hops, steps: lists
function M.new(over_time)
  local by_name, by_pair = {}, {}
  local known_paths, known_count = {}, 0
  local places = { hops = { is_list = true }, steps = { is_list = true } }
  local hops, steps = places.hops, places.steps

  local function series_for(list, make)
    return #list < limits.timelines and make() or nil
  end

  --- The hop of a name, false for one without; observer: who saw it, of a joined capture, or nil.
  function places.hop(name, role, observer)
    local hop = by_name[name]
    if not hop then
      if #hops >= limits.hops then
        name, role, observer = OTHERS, 0, nil
      end
      hop = by_name[name]
    end
    if not hop then
      hop = { name = name or nil, role = role or 0, index = #hops + 1, frames = 0, packets = 0, dropped = 0 }
      hop.all_frames, hop.gaps, hop.observer = 0, {}, observer
      hop.gaps.is_list = true
      hop.times = series_for(hops, over_time.series)
      by_name[name], hops[hop.index] = hop, hop
    end
    return hop
  end

  --- Counts a sighting.
  -- @param time seconds since the first frame, or nil; time_bin: its bin
  -- @param is_new whether the packet was not seen here before
  function places.see(hop, number, time, time_bin, is_new)
    local last = hop.last_frame or 0
    if number < last then -- of a packet that was selected late
      hop.first_frame = min(hop.first_frame, number)
    end
    local least = hop.gaps[MOST_GAPS]
    if number - last > 1 and (not least or number - last > least.to - least.from) then
      keep_gap(hop.gaps, { from = last, to = number, from_time = hop.last_time, to_time = time })
    end
    hop.first_frame, hop.last_frame = hop.first_frame or number, max(last, number)
    if time then
      hop.first_time, hop.last_time = min(hop.first_time or time, time), max(hop.last_time or time, time)
      if hop.times then
        hop.times[time_bin] = (hop.times[time_bin] or 0) + 1
      end
    end
    hop.frames = hop.frames + 1
    if is_new then
      hop.packets = hop.packets + 1
    end
  end

  --- Counts a step.
  -- @param seconds at least 0
  function places.step(from, to, seconds, number, packet, time_bin)
    local pair = from.index * 65536 + to.index
    local step = by_pair[pair]
    if not step then
      if #steps >= limits.steps then
        return
      end
      step = { from = from.index, to = to.index, count = 0, least = seconds, most = -1, histogram = {} }
      step.times, step.longest = series_for(steps, over_time.series), series_for(steps, over_time.longest)
      by_pair[pair], steps[#steps + 1] = step, step
    end
    local bucket = floor(log(seconds * NANO + 1) * BUCKETS)
    step.count, step.histogram[bucket] = step.count + 1, (step.histogram[bucket] or 0) + 1
    step.least = min(step.least, seconds)
    if seconds > step.most then
      step.most, step.slowest_frame, step.slowest_packet = seconds, number, packet
    end
    if time_bin and step.times then
      step.times[time_bin] = (step.times[time_bin] or 0) + 1
      step.longest[time_bin] = max(step.longest[time_bin] or 0, seconds)
    end
  end

  --- What is the same for all packets of a path.
  -- @return table: has: whether it has branches; at_first: whether these part at its first hop
  function places.branches(path)
    local known = known_paths[path]
    if not known then
      if known_count >= limits.branches then
        known_paths, known_count = {}, 0
      end
      local at = find(path, " > {", 1, true)
      known = { has = at ~= nil, at_first = at ~= nil and not find(path:sub(1, at - 1), " > ", 1, true) }
      known_paths[path], known_count = known, known_count + 1
    end
    return known
  end

  return places
end

return M
