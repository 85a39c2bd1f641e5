--- What `pywnv annotate` wrote into the comment of a frame, or into a journal entry, read back.
--
--   duplicate of 8 at pNIC Ethernet 2, +2.8 us (wnv frame=10 packet=8 delta_ns=2800 path="vmNIC A > pNIC Ethernet 2")
--
-- First a sentence for people; then, in brackets, keys and values, in the order of the table of fields. A value that
-- `usual` can tell is omitted. Comments may come from strangers: one that is not exactly in this form is ignored.

local columns, codes, drop, text, hop_name = ...

local byte, find, gsub, match, sub = string.byte, string.find, string.gsub, string.match, string.sub
local clean, tonumber = text.clean, tonumber

local LONGEST = 65535 -- bytes, as an option of pcapng
local LONGEST_NUMBER = 15 -- digits: a double holds them all
local MOST_DISTANCE = 2 ^ 20 -- frames over which the engine joins nothing
local MOST_APPEARANCE = 65535
local MOST_SHARED, MOST_BYTES = 65536, 32 * 1024 * 1024 -- only a capture made to defeat us says more different things
local NANO = 1e9
local CLOSE = byte(")")

-- BEGIN: how the part in brackets begins; the sentence never contains it. JOURNAL: the field of a journal entry that
-- holds the comment. KEPT: how the part ends if the frame's packet id was written by the capture tool, not by pywnv.
local M = { BEGIN = "(wnv frame=", JOURNAL = "PYWNV", KEPT = " packet_id=kept" }

local DUPLICATE, ORIGINAL, EVENT = codes.verdict.duplicate, codes.verdict.original, codes.verdict.event
local BYTES = codes.evidence.bytes

-- The hop that a path ends with.
local function last_hop(path)
  return match(path, "^.* > (.*)$") or path
end

local function is_duplicate(said)
  return said.previous ~= nil
end

--- What a column holds where a comment does not say it: each a function of what it says. `is_sound` has the same for
-- numbers, faster.
M.usual = {
  packet = function(said)
    return said.verdict ~= EVENT and said.frame or nil
  end,
  previous = function(said)
    return said.packet ~= said.frame and said.packet or nil
  end,
  appearance = function(said)
    return said.packet and (is_duplicate(said) and 2 or 1)
  end,
  hop_elapsed = function(said)
    return said.previous == said.packet and said.hop_delta or nil
  end,
  verdict = function(said)
    return is_duplicate(said) and DUPLICATE or ORIGINAL
  end,
  path = function(said)
    return not is_duplicate(said) and said.hop or nil
  end,
  hop = function(said)
    return is_duplicate(said) and said.path and last_hop(said.path) or nil
  end,
  hop_role = function(said)
    return said.hop and (hop_name.split_role(said.hop))
  end,
  evidence = function(said)
    return is_duplicate(said) and BYTES or nil
  end,
  drop = function(said)
    return said.drop_reason and true or nil
  end,
  drop_harmless = function(said)
    if said.drop then
      return false
    end
    return nil
  end,
  drop_reason_text = function(said)
    return drop.texts[said.drop_reason]
  end,
  drop_advice = function(said)
    return said.drop and drop.advice(said.drop_reason, said.drop_location) or nil
  end,
}

local is_own_number = {} -- by key: its column; these are another number in each comment, the rest is often the same
local varied = {} -- their names
local shared_columns = {} -- by key
for at = 1, #columns do
  local column = columns[at]
  column.at = at
  if column.varies then
    is_own_number[column.key], varied[#varied + 1] = column, column.name
  else
    shared_columns[column.key] = column
  end
end

-- How a value is written, by its kind: each a function of the text and where the value begins; returns the value and
-- where what follows begins; nil where it is not in form.
local readers = {}

function readers.text(rest, at)
  local stop = find(rest, '["\\]', at + 1)
  if byte(rest, at) ~= 34 then
    return nil
  end
  while stop and byte(rest, stop) == 92 do
    if not find(rest, '^["\\]', stop + 1) then
      return nil
    end
    stop = find(rest, '["\\]', stop + 2)
  end
  local value = stop and gsub(sub(rest, at + 1, stop - 1), "\\(.)", "%1")
  if value and value ~= "" and clean(value, #value) == value then
    return value, stop + 1
  end
  return nil
end

function readers.count(rest, at)
  local digits = match(rest, "^%d+", at)
  local value = text.number(digits)
  return value, value and at + #digits
end

function readers.bool(rest, at)
  local word = match(rest, "^%l+", at)
  if word ~= "true" and word ~= "false" then
    return nil
  end
  return word == "true", at + #word
end

function readers.name(rest, at, column)
  local word = match(rest, "^[%a-]+", at)
  if word then
    return column.names[word], at + #word
  end
  local value, following = readers.text(rest, at)
  return column.names[value or false], following
end

-- What comments share, from its text; nil where that is not in form.
local function parse(rest, is_again)
  local shared, at, last = { previous = is_again or nil }, 1, 0
  while at <= #rest do
    local _, stop, key = find(rest, "^ ([%l_]+)=", at)
    local column = shared_columns[key or false]
    if not column or column.at <= last then
      return nil
    end
    local value
    value, at = readers[column.kind](rest, stop + 1, column)
    if value == nil or not at then
      return nil
    end
    shared[column.name], last = value, column.at
  end
  for order = 1, #columns do
    local name = columns[order].name
    if not columns[order].varies and shared[name] == nil and M.usual[name] then
      shared[name] = M.usual[name](shared)
    end
  end
  shared.previous = nil
  return (is_again or shared.verdict ~= DUPLICATE) and shared or nil
end

-- Whether a frame may be told of at another: it comes before that, not too far.
local function is_before(number, frame)
  return not number or number >= 1 and number < frame and frame - number < MOST_DISTANCE
end

-- Whether what a comment says can be; and says what it leaves out.
local function is_sound(said, is_event)
  local frame, packet, previous = said.frame, said.packet, said.previous
  if not (is_before(said.segment_of, frame) and is_before(said.repeat_of, frame)) then
    return false
  elseif is_event then
    return not packet and not previous and is_before(said.event_near, frame) and is_before(said.event_packet, frame)
  elseif packet and packet ~= frame then
    previous = previous or packet
    local is_second = previous == packet
    local appearance = said.appearance or is_second and 2 or 0
    said.previous, said.appearance = previous, appearance
    said.hop_elapsed = said.hop_elapsed or is_second and said.hop_delta or nil
    return is_before(packet, frame)
      and is_before(previous, frame)
      and previous >= packet
      and appearance > 1
      and appearance <= MOST_APPEARANCE
  end
  said.packet = frame
  return not packet and not previous and not said.hop_delta and (said.appearance or 1) == 1
end

--- A reader of the comments of one capture.
-- @param is_kept whether all that it gives is kept: then it believes no more once that is too much
-- @return function: what a comment says, a table that is used again: frame, packet, previous, appearance, segment_of,
--   repeat_of, hop_delta, hop_elapsed, event_near, event_packet, owns_id (whether the packet id is ours), shared (a
--   table of all other columns, often the same one, not to be changed), words (for people; of events only); nil where
--   the comment is none of ours, or says what cannot be
function M.reader(is_kept)
  local known, again, count, size = {}, {}, 0, 0
  local said = {}

  local function shared_of(rest, is_again)
    local of = is_again and again or known
    local shared = of[rest]
    if shared == nil then
      if count >= MOST_SHARED or size > MOST_BYTES then
        if is_kept then
          return false
        end
        known, again, count, size = {}, {}, 0, 0
        of = is_again and again or known
      end
      shared = parse(rest, is_again) or false
      of[rest], count, size = shared, count + 1, size + #rest
    end
    return shared
  end

  return function(comment)
    local begins, at = find(comment, M.BEGIN, 1, true)
    if not begins or begins < 3 or #comment > LONGEST or byte(comment, #comment) ~= CLOSE then
      return nil
    end
    for at_column = 1, #varied do
      said[varied[at_column]] = nil
    end
    local _, stop, digits = find(comment, "^(%d+)", at + 1)
    local last = 0
    if not stop or #digits > LONGEST_NUMBER then
      return nil
    end
    said.frame = tonumber(digits)
    while true do
      local _, following, key, value = find(comment, "^ ([%l_]+)=(%-?%d+)", stop + 1)
      local column = is_own_number[key or false]
      if not column then
        break
      elseif column.at <= last or #value > LONGEST_NUMBER then
        return nil
      end
      value = tonumber(value)
      if column.kind == "nanos" then
        value = value / NANO
      elseif value < 0 then
        return nil
      end
      said[column.name], last, stop = value, column.at, following
    end
    local ends = -2
    said.owns_id = sub(comment, -#M.KEPT - 1, -2) ~= M.KEPT
    if not said.owns_id then
      ends = ends - #M.KEPT
    end
    local shared = shared_of(sub(comment, stop + 1, ends), said.previous ~= nil or said.packet ~= nil)
    if not shared then
      return nil
    end
    local is_event = shared.verdict == EVENT
    if not is_sound(said, is_event) then
      return nil
    end
    said.shared, said.words = shared, is_event and sub(comment, 1, begins - 2) or nil
    return said
  end
end

return M
