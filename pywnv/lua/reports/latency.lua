--- How long the steps between hops take: gathered packet by packet, then a table by pair of hops and one by hop.

local lay_out, words = ...

local ceil, format = math.ceil, string.format

local M = {}

local NO_NAME = "(no name)"
local LONGEST = 41 -- characters of a step, so that a line has 80
local SHARE = 0.99
local pairs_of, pair_list, hops, hop_list = {}, {}, {}, {} -- by name; in the order in which they come

-- @param from the hop before, of a step
local function add(of, list, key, name, from, seconds)
  local times = of[key]
  if not times then
    times = { name = name, from = from }
    of[key], list[#list + 1] = times, times
  end
  times[#times + 1] = seconds
end

--- Takes a sighting.
-- @param said what `engine.describe` says of it
-- @param from the name of the hop of the sighting before it, or nil
function M.row(said, from)
  if said.hop_delta then
    local hop = said.hop or NO_NAME
    from = from or NO_NAME
    add(pairs_of, pair_list, from .. "\n" .. hop, hop, from, said.hop_delta)
    add(hops, hop_list, hop, hop, nil, said.hop_delta)
  end
end

--- The median of sorted numbers: the middle one, or between the two in the middle.
function M.median(sorted)
  local half = #sorted / 2
  return (sorted[ceil(half)] + sorted[ceil(half + 0.5)]) / 2
end

--- The least of sorted numbers that 99 of a hundred do not exceed.
function M.percentile(sorted)
  return sorted[ceil(#sorted * SHARE - 1e-9)]
end

local function micros(seconds)
  return format("%.1f", seconds * 1e6)
end

local function table_of(list, heading)
  local rows = { { heading, "count", "median us", "p99 us", "largest us" } }
  for _, times in ipairs(list) do
    table.sort(times)
    local median, percentile = micros(M.median(times)), micros(M.percentile(times))
    local from, to = times.from, times.name
    local name = from and words.step(from, to, LONGEST) or words.hop(to, LONGEST)
    rows[#rows + 1] = { name, format("%d", #times), median, percentile, micros(times[#times]) }
  end
  return lay_out(rows, "lrrrr")
end

--- The text.
function M.total()
  if not pair_list[1] then
    return "No packet was seen twice.\n"
  end
  return table_of(pair_list, "from > to") .. "\n" .. table_of(hop_list, "hop")
end

return M
