--- Takes out what `pywnv annotate` put into a capture: comments, packet ids, and fields of journal entries.

local bytes, annotation = ...

local byte, find, sub = string.byte, string.find, string.sub

local END = "\0\0" -- as opt_endofopt begins
local OPT_END, OPT_COMMENT, OPT_PACKET_ID = 0, 1, 5
local FIELD = annotation.JOURNAL .. "="

local read_own = annotation.reader()
local M = {}

-- The options from `at` to `stop`, by `visit(code, at, last byte of the value, next option)`.
-- @return where they end
local function each(buf, at, stop, order, visit)
  local read16 = order > 0 and bytes.little16 or bytes.big16
  while at + 3 <= stop do
    local code, size = read16(buf, at), read16(buf, at + 2)
    local last = at + 3 + size
    if code == OPT_END or last > stop then
      break
    end
    local following = last + 1 + -size % 4
    visit(code, at, last, following)
    at = following
  end
  return at
end

--- What a frame's options hold besides what pywnv put there.
-- @param from, stop of their first and last byte
-- @return that; whether pywnv had put anything there; whether a packet id is left
function M.options(buf, from, stop, order)
  local has_own, has_id, owns_id = false, false, false
  local is_own = {} -- by where the option begins
  each(buf, from, stop, order, function(code, at, last)
    local own = code == OPT_COMMENT and read_own(sub(buf, at + 4, last))
    if own then
      has_own, owns_id, is_own[at] = true, owns_id or own.owns_id, true
    end
    has_id = has_id or code == OPT_PACKET_ID and last - at == 11
  end)
  if not has_own then
    return sub(buf, from, stop), false, has_id
  end
  local kept = {}
  local ends = each(buf, from, stop, order, function(code, at, last, following)
    if not is_own[at] and not (owns_id and code == OPT_PACKET_ID and last - at == 11) then
      kept[#kept + 1] = sub(buf, at, following - 1)
    end
  end)
  kept[#kept + 1] = sub(buf, ends, stop)
  local rest = table.concat(kept)
  if sub(rest, 1, 2) == END then
    rest = sub(rest, 5)
  end
  return rest, true, has_id and not owns_id
end

--- The fields of a journal entry, without what pywnv put there; the zeros behind them.
function M.fields(body)
  local zero = find(body, "\0", 1, true) or #body + 1
  local fields, zeros = sub(body, 1, zero - 1), sub(body, zero)
  local _, behind = find(fields, ".*\n" .. FIELD)
  if behind then
    local text = sub(fields, behind + 1):gsub(" *\n?$", "", 1)
    if read_own(text) then
      fields = sub(fields, 1, behind - #FIELD - (byte(fields, -1) == 10 and 0 or 1))
    end
  end
  return fields, zeros
end

return M
