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

local function is_packet_id(code, at, last)
  return code == OPT_PACKET_ID and last - at == 11
end

--- What a frame's options hold besides what pywnv put there.
-- @param from, stop of their first and last byte
-- @return that; whether pywnv had put anything there; where in it the value of the capture tool's packet id begins, or
--   nil
function M.options(buf, from, stop, order)
  local has_own, id_at, tool_id = false, nil, nil
  local is_own = {} -- by where the option begins
  each(buf, from, stop, order, function(code, at, last)
    local own = code == OPT_COMMENT and read_own(sub(buf, at + 4, last))
    if own then
      has_own, tool_id, is_own[at] = true, tool_id or own.tool_id, true
    end
    id_at = id_at or is_packet_id(code, at, last) and at + 4 or nil
  end)
  if not has_own then
    return sub(buf, from, stop), false, id_at and id_at - from + 1
  end
  local kept, size, value_at = {}, 0, nil
  local ends = each(buf, from, stop, order, function(code, at, last, following)
    if is_own[at] or not tool_id and is_packet_id(code, at, last) then
      return
    end
    local option = sub(buf, at, following - 1)
    if at + 4 == id_at then
      option, value_at = M.with_id(option, 5, tool_id, order), size + 5
    end
    kept[#kept + 1], size = option, size + #option
  end)
  kept[#kept + 1] = sub(buf, ends, stop)
  local rest = table.concat(kept)
  if sub(rest, 1, 2) == END then
    rest = sub(rest, 5)
  end
  return rest, true, value_at
end

--- Options with another packet id.
-- @param at where the value of theirs begins
-- @param id hexadecimal digits
function M.with_id(options, at, id, order)
  return sub(options, 1, at - 1) .. bytes.put_hex(id, order) .. sub(options, at + 8)
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
