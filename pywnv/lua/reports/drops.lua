--- What was dropped: counted by reason and place, the most frequent first, and below it what to look at.

local lay_out, words = ...

local format = string.format

local M = {}

local WIDTH, LONGEST = 80, 34 -- characters of a line; of a reason or a place
local NOT_TOLD = "not given"
local drops, list = {}, {} -- by reason and place; in the order in which they come

local function reason_of(said)
  if not said.drop_reason then
    return said.drop_reason_text or NOT_TOLD
  end
  return format("%d %s", said.drop_reason, said.drop_reason_text or ""):gsub(" $", "")
end

local function place_of(said)
  if said.event_nic and said.event_switch then
    return format("%s in switch %s", said.event_nic, said.event_switch)
  end
  return said.hop or NOT_TOLD
end

--- Takes a frame or an event.
-- @param said what `engine.describe` or `describe_event` says of it
function M.row(said)
  if not said.drop then
    return
  end
  local reason, place = reason_of(said), place_of(said)
  local key = reason .. "\n" .. place
  local drop = drops[key]
  if not drop then
    drop = { reason = reason, place = place, advice = said.drop_advice, count = 0, at = #list + 1 }
    drops[key], list[drop.at] = drop, drop
  end
  drop.count = drop.count + 1
end

local function before(one, other)
  if one.count ~= other.count then
    return one.count > other.count
  end
  return one.at < other.at
end

--- The text.
function M.total()
  if not list[1] then
    return "The capture records no drop.\n"
  end
  table.sort(list, before)
  local rows, advice, given = { { "count", "reason", "where" } }, {}, {}
  for _, drop in ipairs(list) do
    local reason, place = words.short(drop.reason, LONGEST), words.hop(drop.place, LONGEST)
    rows[#rows + 1] = { format("%d", drop.count), reason, place }
    if drop.advice and not given[drop.reason] then
      given[drop.reason] = true
      advice[#advice + 1] = format("\n%s:\n%s", drop.reason, words.wrapped(drop.advice, WIDTH, ""))
    end
  end
  return lay_out(rows, "rll") .. table.concat(advice)
end

return M
