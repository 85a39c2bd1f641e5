--- Reads back what `pywnv annotate` wrote into the comment of a frame, or into a journal entry.
--
--   duplicate of 8 at pNIC Ethernet 2, +2.8 us (wnv frame=10 packet=8 delta_ns=2800 path="vmNIC A > pNIC Ethernet 2")
--
-- First a sentence for people; then, in brackets, keys and values in the order of the table of fields, without those of
-- comment_defaults.lua. Comments may come from strangers: one that is not exactly in this form is ignored.

local columns, codes, defaults, values = ...

local byte, find, match, sub, tonumber = string.byte, string.find, string.match, string.sub, tonumber

local LONGEST = 65535 -- bytes, as an option of pcapng
local TOO_LARGE = 1e15 -- from here on a double loses digits
local MOST_DISTANCE = 2 ^ 20 -- frames over which the engine joins nothing
local MOST_APPEARANCE = 65535
local MOST_SHARED, MOST_BYTES = 65536, 32 * 1024 * 1024 -- only a capture made to defeat us says more different things
local NANO = 1e9
local LONGEST_TIME = TOO_LARGE / NANO -- seconds
local CLOSE = byte(")")

-- BEGIN: how the part in brackets begins; the sentence never contains it.
-- JOURNAL: the field of a journal entry that holds the comment.
-- TOOL_ID: the key of the packet id that the capture tool gave the frame: 16 hexadecimal digits at the end of the part.
-- usual: what a column holds if the comment omits it.
local M = { BEGIN = "(wnv frame=", JOURNAL = "PYWNV", TOOL_ID = " packet_id=", usual = defaults }
local TOOL_ID = "^" .. M.TOOL_ID .. "(" .. ("[%da-f]"):rep(16) .. ")%)$"
local TOOL_ID_AT, ID_EQUALS_AT, EQUALS = -28, -18, byte("=") -- where both stand in a comment

local DUPLICATE, EVENT = codes.verdict.duplicate, codes.verdict.event

local is_own_number = {} -- by key: its column; these are another number in each comment, the rest is often the same
local by_name = {} -- their columns
local named = {} -- those of them that name a frame, besides those of the packet
local shared_columns = {} -- by key
local of_packet = { packet = true, previous = true, appearance = true }
for at = 1, #columns do
  local column = columns[at]
  column.at = at
  if column.varies then
    is_own_number[column.key], by_name[column.name] = column, column
    if column.kind == "count" and not of_packet[column.name] then
      named[#named + 1] = column.name
    end
  else
    shared_columns[column.key] = column
  end
end

-- What comments share, from its text and the bracket behind it; nil if that is not in form.
local function parse(rest, is_again)
  local shared, at, last = { previous = is_again or nil }, 1, 0
  if byte(rest, #rest) ~= CLOSE then
    return nil
  end
  rest = sub(rest, 1, -2)
  while at <= #rest do
    local _, stop, key = find(rest, "^ ([%l_]+)=", at)
    local column = shared_columns[key or false]
    if not column or column.at <= last then
      return nil
    end
    local value
    value, at = values[column.kind](rest, stop + 1, column)
    if value == nil or not at then
      return nil
    end
    shared[column.name], last = value, column.at
  end
  for order = 1, #columns do
    local name = columns[order].name
    if not columns[order].varies and shared[name] == nil and defaults[name] then
      shared[name] = defaults[name](shared)
    end
  end
  shared.previous = nil
  return (is_again or shared.verdict ~= DUPLICATE) and shared or nil
end

-- Whether a frame may be told of at another: it comes before that, not too far.
local function is_before(number, frame)
  return number >= 1 and number < frame and frame - number < MOST_DISTANCE
end

-- Whether a frame may be this sighting of this packet.
local function may_be(frame, packet, previous, appearance)
  return packet >= 1
    and packet <= previous
    and previous < frame
    and frame - packet < MOST_DISTANCE
    and appearance > 1
    and appearance <= MOST_APPEARANCE
end

-- The same, of what is said in an unusual form; and says what that leaves out.
local function is_sound(said)
  local frame, packet, previous = said.frame, said.packet, said.previous
  if not packet or packet == frame then
    said.packet = frame
    return not packet and not previous and not said.hop_delta and (said.appearance or 1) == 1
  end
  if not previous or previous == packet then
    previous = packet
    said.previous, said.appearance = packet, said.appearance or 2
    said.hop_elapsed = said.hop_elapsed or said.hop_delta
  end
  return may_be(frame, packet, previous, said.appearance or 0)
end

local function is_time(seconds)
  return seconds > -LONGEST_TIME and seconds < LONGEST_TIME
end

-- Whether the other frames that it names can be.
local function names_earlier(said)
  for at = 1, #named do
    local number = said[named[at]]
    if number and not is_before(number, said.frame) then
      return false
    end
  end
  return true
end

-- How a column begins behind another, and a pattern of numbers.
local function behind(name)
  return " " .. by_name[name].key .. "="
end
local NUMBER = "(%-?%d+)"

-- The patterns of most comments: how each begins, and how those of a second and of a later sighting go on.
local BEGINS = "^(%d+) ([%l_]+)=(%d*)( ?[%l_]*=?)"
local PACKET, SECOND, LATER = by_name.packet.key, behind("hop_delta"), behind("previous")
local OF_SECOND, OF_LATER = "^" .. NUMBER, "^(%d+)"
for _, name in ipairs({ "appearance", "hop_delta", "hop_elapsed" }) do
  OF_LATER = OF_LATER .. behind(name) .. NUMBER
end
local SECOND_AT, LATER_AT = by_name.hop_delta.at, by_name.hop_elapsed.at -- their last number, in the table of fields

--- A reader of the comments of one capture.
-- @param is_kept whether all that it gives is kept: then it believes no more once that is too much
-- @return function: what a comment says, a table that is used again: frame, packet, previous, appearance, segment_of,
--   repeat_of, hop_delta, hop_elapsed, event_near, event_packet, tool_id (the packet id that the capture tool gave the
--   frame, in hexadecimal digits, or nil), shared (a table of all other columns, often the same; the
--   caller may add those named here),
--   words (for people; of events only); nil if the comment is none of ours, or is invalid
function M.reader(is_kept)
  local known, again, count, size = {}, {}, 0, 0
  local said = {}
  local has_more = false -- whether the last comment had other numbers than those of its packet

  local function shared_of(rest, is_again)
    if count >= MOST_SHARED or size > MOST_BYTES then
      if is_kept then
        return false
      end
      known, again, count, size = {}, {}, 0, 0
    end
    local shared = parse(rest, is_again) or false
    local of = is_again and again or known
    of[rest], count, size = shared, count + 1, size + #rest
    return shared
  end

  -- The numbers that begin a comment, each for itself.
  -- @return where the last one ends; nil if that is not in form
  local function read_more(comment, stop, last)
    while true do
      local _, following, key, value = find(comment, "^ ([%l_]+)=(%-?%d+)", stop + 1)
      local column = is_own_number[key or false]
      if not column then
        return stop
      end
      value = tonumber(value)
      if column.at <= last or value >= TOO_LARGE or value <= -TOO_LARGE then
        return nil
      elseif column.kind == "nanos" then
        value = value / NANO
      elseif value < 0 then
        return nil
      end
      said[column.name], last, stop, has_more = value, column.at, following, true
    end
  end

  return function(comment)
    local begins, at = find(comment, M.BEGIN, 1, true)
    if not begins or begins < 3 or #comment > LONGEST then
      return nil
    end
    local tool_id
    if byte(comment, ID_EQUALS_AT) == EQUALS then
      tool_id = match(comment, TOOL_ID, TOOL_ID_AT)
      comment = tool_id and sub(comment, 1, TOOL_ID_AT - 1) .. ")" or comment
    end
    if has_more then
      for at_name = 1, #named do
        said[named[at_name]] = nil
      end
      has_more = false
    end
    at = at + 1
    local last, delta, previous, appearance, elapsed = 0, nil, nil, nil, nil
    local _, stop, frame, key, packet, following = find(comment, BEGINS, at)
    local is_duplicate = key == PACKET and packet ~= ""
    if is_duplicate and following == SECOND then
      last, _, stop, delta = SECOND_AT, find(comment, OF_SECOND, stop + 1)
    elseif is_duplicate and following == LATER then
      last, _, stop, previous, appearance, delta, elapsed = LATER_AT, find(comment, OF_LATER, stop + 1)
    end
    if not delta then
      frame = frame or match(comment, "^%d+", at)
      last, packet, stop = 0, nil, frame and at + #frame - 1
    end
    frame, packet = tonumber(frame), tonumber(packet)
    if not frame or frame >= TOO_LARGE then
      return nil
    end
    said.frame, said.packet = frame, packet
    if packet then
      previous = previous and tonumber(previous) or packet
      appearance, delta = appearance and tonumber(appearance) or 2, tonumber(delta) / NANO
      elapsed = elapsed and tonumber(elapsed) / NANO or delta
      said.previous, said.appearance, said.hop_delta, said.hop_elapsed = previous, appearance, delta, elapsed
      if not may_be(frame, packet, previous, appearance) or not is_time(delta) or not is_time(elapsed) then
        return nil
      end
    else
      said.previous, said.appearance, said.hop_delta, said.hop_elapsed = nil, nil, nil, nil
    end
    local is_again = packet ~= nil
    local rest = sub(comment, stop + 1)
    local shared = (is_again and again or known)[rest]
    if shared == nil then
      stop = read_more(comment, stop, last)
      if not stop or has_more and not names_earlier(said) then
        return nil
      end
      is_again = said.packet ~= nil or said.previous ~= nil
      rest = has_more and sub(comment, stop + 1) or rest
      shared = (is_again and again or known)[rest]
      if shared == nil then
        shared = shared_of(rest, is_again)
      end
    end
    if not shared then
      return nil
    end
    said.shared, said.tool_id, said.words = shared, tool_id, nil
    if shared.verdict == EVENT then
      said.words = sub(comment, 1, begins - 2)
      return not said.packet and not said.previous and said or nil
    end
    return (packet or is_sound(said)) and said or nil
  end
end

return M
