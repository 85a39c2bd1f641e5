--- What is known about a frame besides its packet: what the capture tool recorded, its direction, and whether it was
-- dropped. Frames with the same facts share one table; its keys are columns of the table of fields.

local drop = ...

local MOST = 4096 -- only a capture made to defeat us knows more of its frames

local M = { NONE = {} }

local function new(place, note, way, is_drop, is_to_group)
  local facts = {
    direction = way,
    vlan = note.vlan or place.vlan,
    port = note.port or place.port,
    nic = note.nic,
    nic_type = note.nic_type or place.nic_type,
    pid = note.pid,
  }
  if is_drop then
    facts.drop = true
    facts.drop_reason, facts.drop_location = note.drop_reason, note.drop_location
    facts.drop_harmless = drop.is_harmless(note.drop_reason, is_to_group)
    facts.drop_reason_text = drop.texts[note.drop_reason] or note.drop_reason_text
    facts.drop_advice = drop.advice(note.drop_reason, note.drop_location)
  end
  return facts
end

--- What a place says of all its frames.
function M.of_place(place)
  local facts = new(place, {}, nil, false, false)
  return next(facts) and facts or M.NONE
end

--- A function that gives the facts of a dropped frame, with the rule that explains it.
function M.ruled()
  local known, count = {}, 0
  return function(facts, rule)
    if count >= MOST then
      known, count = {}, 0
    end
    local by_rule = known[facts]
    if not by_rule then
      by_rule = {}
      known[facts] = by_rule
    end
    local found = by_rule[rule]
    if not found then
      found = { drop_rule = rule }
      for column, value in pairs(facts) do
        found[column] = value
      end
      by_rule[rule], count = found, count + 1
    end
    return found
  end
end

--- A function that gives the facts of a frame.
function M.new()
  local known, count = {}, 0

  --- @param place as `hop` made it
  -- @param note  as `tool_comments.read` gave it, or nil
  -- @param way   a code of `direction`, or nil
  -- @param frame as `frame.read` gives it; is_drop: whether it was dropped there
  return function(place, note, way, frame)
    if count >= MOST then
      known, count = {}, 0
    end
    local by_note = known[place]
    if not by_note then
      by_note = {}
      known[place] = by_note
    end
    local by_way = by_note[note or false]
    if not by_way then
      by_way = {}
      by_note[note or false] = by_way
    end
    local is_drop = frame.is_drop
    local is_to_group = is_drop and drop.is_to_group(frame)
    local key = (way or 0) * 4 + (is_drop and 1 or 0) + (is_to_group and 2 or 0)
    local facts = by_way[key]
    if not facts then
      facts = new(place, note or M.NONE, way, is_drop, is_to_group)
      by_way[key], count = facts, count + 1
    end
    return facts
  end
end

return M
