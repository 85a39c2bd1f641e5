--- The way of one packet: a table of its sightings, and the events near them.

local names, lay_out = ...

local format = string.format

local M = {}

local HEADINGS = { "frame", "hop", "delta", "elapsed", "verdict", "rule", "rewritten" }
local rows, drops, events, path = {}, {}, {}, nil

local function micros(seconds)
  return seconds and format("%.3f µs", seconds * 1e6) or ""
end

--- Takes a sighting of the packet.
-- @param number of its frame
-- @param said   what `engine.describe` says of it
function M.row(number, said)
  local row = { format("%d", number), said.hop or "", micros(said.hop_delta), micros(said.hop_elapsed) }
  row[5], row[6], row[7] = names.verdict[said.verdict] or "", said.rule or "", said.rewritten or ""
  if said.drop then
    local rule = said.drop_rule and "; " .. said.drop_rule or ""
    local reason = said.drop_reason_text or "reason not told"
    drops[#drops + 1] = format("dropped in frame %d: %s%s\n", number, reason, rule)
  end
  rows[#rows + 1], path = row, said.path
end

--- Takes an event near a sighting.
-- @param said what `engine.describe_event` says of it
function M.event(number, said)
  events[#events + 1] = format("%d  %s\n", number, said.info)
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
      align = align .. ("rlrrlll"):sub(at, at)
      table_rows[1][#align] = heading
      for number, row in ipairs(rows) do
        table_rows[number + 1] = table_rows[number + 1] or {}
        table_rows[number + 1][#align] = row[at]
      end
    end
  end
  return table_rows, align
end

--- The text.
function M.total()
  local text = lay_out(filled())
  if path then
    text = format("%spath: %s\n", text, path)
  end
  text = text .. table.concat(drops)
  if events[1] then
    text = text .. "\nEvents within a millisecond behind it; nothing but the time tells that they are about it:\n"
    text = text .. table.concat(events)
  end
  return text
end

return M
