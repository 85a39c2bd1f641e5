--- The path of one packet: a table of its sightings, a ladder of its hops, and the events about it or close behind it.

local names, lay_out, words = ...

local floor, format, rep = math.floor, string.format, string.rep

local M = {}

local WIDTH = 80 -- characters of a line
local LONGEST_RULE = 14 -- characters
local TIME, LEAST_LANE, MOST_LANE = 12, 2, 12 -- characters in the ladder: of a time and the blanks behind it, of a hop
local FRAME = " frame %d"
local LONGEST_CHANGE = 10 -- characters of what was rewritten
local HEADINGS = { "frame", "hop", "delta us", "elapsed us", "verdict", "rule" }
local ALIGN = "rlrrll"
local rows, sightings, drops, events, near_events, path = {}, {}, {}, {}, {}, nil

local function micros(seconds)
  return seconds and format("%.1f", seconds * 1e6) or ""
end

local function note_drop(number, said)
  local rule = said.drop_rule and "; " .. said.drop_rule or ""
  local why = format("dropped in frame %d: %s%s", number, words.reason(said), rule)
  drops[#drops + 1] = words.wrapped(why, WIDTH, "  ")
end

--- Takes a sighting of the packet.
-- @param number of its frame
-- @param said   what `engine.describe` says of it
function M.row(number, said)
  local row = { format("%d", number), said.hop or "" }
  row[3], row[4] = micros(said.hop_delta), micros(said.hop_elapsed)
  row[5] = said.drop and "dropped" or names.verdict[said.verdict] or ""
  row[6] = words.short(said.rule or "", LONGEST_RULE)
  if said.drop then
    note_drop(number, said)
  end
  sightings[#sightings + 1] = {
    number = number,
    hop = said.hop or "",
    elapsed = said.hop_elapsed or 0,
    is_dropped = said.drop,
    rewritten = said.rewritten,
  }
  rows[#rows + 1], path = row, said.path
end

--- Takes an event about the packet, or near a sighting of it.
-- @param said what `engine.describe_event` says of it
function M.event(number, said)
  local list = said.event_packet and events or near_events
  list[#list + 1] = words.wrapped(format("%d  %s", number, said.info), WIDTH, "    ")
  if said.event_packet and said.drop then
    note_drop(number, said)
  end
end

-- Shortens the hops to what the other columns leave of a line.
local function fit_hops()
  local room = WIDTH
  for at, heading in ipairs(HEADINGS) do
    local wide = 0
    for _, row in ipairs(rows) do
      wide = math.max(wide, #row[at])
    end
    if wide > 0 and heading ~= "hop" then
      room = room - math.max(wide, #heading) - 2
    end
  end
  for _, row in ipairs(rows) do
    row[2] = words.hop(row[2], room)
  end
end

-- The rows with their headings, without the columns in which nothing stands; how these are aligned.
local function filled()
  local table_rows, align = { {} }, ""
  for at, heading in ipairs(HEADINGS) do
    local is_empty = true
    for _, row in ipairs(rows) do
      is_empty = is_empty and row[at] == ""
    end
    if not is_empty then
      align = align .. ALIGN:sub(at, at)
      table_rows[1][#align] = heading
      for number, row in ipairs(rows) do
        table_rows[number + 1] = table_rows[number + 1] or {}
        table_rows[number + 1][#align] = row[at]
      end
    end
  end
  return table_rows, align
end

-- A line of the ladder: lanes of so many characters, with an arrow from one to another.
local function rung(lanes, wide, from, to, mark)
  local cells = {}
  for lane = 1, lanes do
    cells[lane] = "." .. rep(" ", wide - 1)
  end
  local first, last = math.min(from, to), math.max(from, to)
  for lane = first, last - 1 do
    cells[lane] = rep("-", wide)
  end
  if from < to then
    cells[last - 1] = rep("-", wide - 1) .. ">"
  elseif from > to then
    cells[first] = mark .. "<" .. rep("-", wide - 2)
  end
  cells[from] = "+" .. (from < to and cells[from] or rep(" ", wide)):sub(2)
  cells[to] = mark .. (from == to and rep(" ", wide) or cells[to]):sub(2)
  return table.concat(cells)
end

-- The packet's hops across, time down. A hop has the number of its lane, and its name stands below.
local function ladder()
  local lane_of, lanes = {}, {}
  for _, sighting in ipairs(sightings) do
    if not lane_of[sighting.hop] then
      lanes[#lanes + 1] = sighting.hop
      lane_of[sighting.hop] = #lanes
    end
  end
  local room, is_told = WIDTH - TIME - #format(FRAME, sightings[#sightings].number), true
  local wide = floor((room - LONGEST_CHANGE - 2) / #lanes)
  if wide < LEAST_LANE then
    wide, is_told = floor(room / #lanes), false
  end
  wide = math.min(MOST_LANE, wide)
  if #lanes < 2 or wide < LEAST_LANE then
    return ""
  end
  local tens, ones = {}, {}
  local is_stacked = wide == LEAST_LANE and #lanes > 9
  for lane = 1, #lanes do
    local digits = format("%d", lane)
    tens[lane] = is_stacked and format("%2s", digits:sub(-2, -2)) or ""
    ones[lane] = is_stacked and format("%2s", digits:sub(-1)) or digits .. rep(" ", wide - #digits)
  end
  local lines = {
    is_stacked and format("%10s %s\n", "", table.concat(tens)) or "",
    format(is_stacked and "%10s %s\n" or "%10s  %s\n", "us", (table.concat(ones):gsub(" +$", ""))),
  }
  local before
  for _, sighting in ipairs(sightings) do
    local lane = lane_of[sighting.hop]
    local drawn = rung(#lanes, wide, before or lane, lane, sighting.is_dropped and "X" or "o")
    local changed = is_told and sighting.rewritten
    changed = changed and "  " .. words.short(changed, LONGEST_CHANGE) or ""
    lines[#lines + 1] = format("%10.1f  %s" .. FRAME .. "%s\n", sighting.elapsed * 1e6, drawn, sighting.number, changed)
    before = lane
  end
  for lane, hop in ipairs(lanes) do
    lines[#lines + 1] = format("%10d  %s\n", lane, words.hop(hop == "" and "(no name)" or hop, WIDTH - TIME))
  end
  return "\n" .. table.concat(lines)
end

--- The text.
function M.total()
  fit_hops()
  local text = lay_out(filled()) .. ladder()
  if path then
    text = text .. "\n" .. words.wrapped("path: " .. path, WIDTH, "  ")
  end
  text = text .. table.concat(drops)
  if events[1] then
    text = text .. "\nEvents of the vmSwitch about it:\n" .. table.concat(events)
  end
  if near_events[1] then
    text = text .. "\nEvents within a millisecond after it; only the time connects them with it:\n"
    text = text .. table.concat(near_events)
  end
  return text
end

return M
