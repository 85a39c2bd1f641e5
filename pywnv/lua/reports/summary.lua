--- A sink that counts, and at the end says how many frames, packets, hops and drops there were.

local verdict_names, lay_out, words = ...

local format = string.format

local M = {}

local frames, packets = 0, 0
local first, first_nanos, last, last_nanos -- the earliest time, and the latest
local verdicts = {}
local hops, hop_list = {}, {} -- by name; in the order in which they come
local drops, drop_list = {}, {}

local LONGEST, LONGEST_DROP = 36, 70 -- characters
local MOST_KINDS = 1000 -- of hops, and of drops, that are counted separately

local function counter(of, list, name)
  if not of[name] and #list >= MOST_KINDS then -- only a capture made to defeat us has so many
    name = "(others)"
  end
  local found = of[name]
  if not found then
    found = { name = name, frames = 0, packets = 0, steps = 0, sum = 0, longest = 0 }
    of[name], list[#list + 1] = found, found
  end
  return found
end

local function note_time(seconds, nanos)
  if not first or seconds < first or seconds == first and nanos < first_nanos then
    first, first_nanos = seconds, nanos
  end
  if not last or seconds > last or seconds == last and nanos > last_nanos then
    last, last_nanos = seconds, nanos
  end
end

--- Counts a frame.
function M.row(_, seconds, nanos, _, said)
  frames = frames + 1
  if seconds then
    note_time(seconds, nanos)
  end
  if not said then
    return
  end
  verdicts[said.verdict] = (verdicts[said.verdict] or 0) + 1
  if said.packet then
    local hop = counter(hops, hop_list, said.hop or "(no name)")
    hop.frames = hop.frames + 1
    if not said.previous then
      packets, hop.packets = packets + 1, hop.packets + 1
    elseif said.hop_delta then
      hop.steps, hop.sum = hop.steps + 1, hop.sum + said.hop_delta
      hop.longest = math.max(hop.longest, said.hop_delta)
    end
  end
  if said.drop then
    local drop = counter(drops, drop_list, said.drop_reason_text or "reason not given")
    drop.frames = drop.frames + 1
  end
end

--- There is no text before the end.
function M.finish()
  return ""
end

local function line(lines, name, value)
  lines[#lines + 1] = format("%-16s%s\n", name, value)
end

local function micros(seconds)
  return format("%.1f", seconds * 1e6)
end

--- The text for the whole capture.
function M.total()
  local lines = {}
  line(lines, "frames", format("%d", frames))
  line(lines, "packets", format("%d", packets))
  if first then
    line(lines, "seconds", format("%.6f", last - first + (last_nanos - first_nanos) / 1e9))
  end
  for code = 0, #verdict_names do
    if verdicts[code] then
      line(lines, verdict_names[code], format("%d", verdicts[code]))
    end
  end
  if hop_list[1] then
    local rows = { { "hop", "frames", "first seen here", "mean us", "longest us" } }
    for _, hop in ipairs(hop_list) do
      local mean = hop.steps > 0 and micros(hop.sum / hop.steps) or ""
      local longest = hop.steps > 0 and micros(hop.longest) or ""
      local name = words.hop(hop.name, LONGEST)
      rows[#rows + 1] = { name, format("%d", hop.frames), format("%d", hop.packets), mean, longest }
    end
    lines[#lines + 1] = "\n" .. lay_out(rows, "lrrrr")
  end
  if drop_list[1] then
    local rows = { { "dropped", "frames" } }
    for _, drop in ipairs(drop_list) do
      rows[#rows + 1] = { words.short(drop.name, LONGEST_DROP), format("%d", drop.frames) }
    end
    lines[#lines + 1] = "\n" .. lay_out(rows, "lr")
  end
  return table.concat(lines)
end

return M
