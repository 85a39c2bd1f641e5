--- Writes the captures of several observers as one pcapng, in the order of time, with aligned clocks.
--
-- Every block is kept, except for the number of its interface and its times; a block without a time stays behind the
-- block that its observer wrote before it. Sections and interfaces are written beforehand.
-- Source: draft-ietf-opsawg-pcapng.

local bytes, new_buffer, cursors, put_with, strip_of, is_big = ...

local char, floor, huge, sub = string.char, math.floor, math.huge, string.sub
local read32 = is_big and bytes.big32 or bytes.little32
local read16 = is_big and bytes.big16 or bytes.little16
local put32 = is_big and bytes.put_big32 or bytes.put_little32
local PACKET, OLD_PACKET, RECORD = cursors.PACKET, cursors.OLD_PACKET, cursors.RECORD

local SECTION, INTERFACE, STATISTICS, JOURNAL = 0x0a0d0d0a, 1, 5, 9
local START_TIME, END_TIME = 2, 3 -- options of statistics
local HALF = 4294967296 -- 2^32
local PADDING = { [0] = "", "\0", "\0\0", "\0\0\0" }
local ENOUGH = 256 * 1024 -- bytes of a piece of the output
local strip -- where an observer's capture is annotated

local M = {}

-- The line of an observer's clock that holds at a time.
local function line_at(input, since)
  local segment = input.segments[input.segment]
  local at, lines = input.line, segment.lines
  while at < #lines and since >= lines[at].stop do
    at = at + 1
  end
  while at > 1 and since < lines[at - 1].stop do
    at = at - 1
  end
  input.line = at
  return lines[at]
end

-- Goes on to the next segment where the clock was set: the first packet that is as far off as that was, of those that
-- may be it.
local function note_set(input, since)
  local following = input.segments[input.segment + 1]
  if following and input.number > following.after then
    local jump = since - input.latest
    local is_there = following.by < 0 and jump < following.by / 2 or following.by > 0 and jump > following.by / 2
    if is_there or input.number >= following.first then
      input.segment, input.line, input.latest = input.segment + 1, 1, since
      return note_set(input, since)
    end
  end
  input.latest = math.max(input.latest, since)
end

-- A timestamp with the clock set right, in halves.
local function shifted(line, since, units, high, low)
  local part = line.part + line.rate * since
  local fine = floor(part * units + 0.5)
  local whole = line.whole * units
  local high_part = floor(whole / HALF)
  local rest = low - (whole - high_part * HALF) - fine
  local carry = floor(rest / HALF)
  high = high - high_part + carry
  if high < 0 then
    return 0, 0
  end
  return high, rest - carry * HALF
end

local function since_base(input, seconds, nanos)
  return seconds - input.base_seconds + (nanos - input.base_nanos) / 1e9
end

-- A pcap's time in halves of units since 1970.
local function halves(seconds, fraction, units)
  local low = seconds % 65536
  local upper = (seconds - low) / 65536 * units
  local lower = upper % 65536 * 65536 + low * units + fraction
  return floor(upper / 65536) + floor(lower / HALF), lower % HALF
end

--- A merger.
-- @param base_seconds near the times of all
-- @return table: add, finish, run
function M.new(base_seconds)
  local merger, inputs, out = {}, {}, new_buffer()
  local written = 0

  --- Adds an observer.
  -- @param cursor   which Python starts and feeds
  -- @param input_seconds, input_nanos  from which its lines count
  -- @param segments between which its clock was set: each a table: after and first (its first packet comes behind that
  --   number, and is this at the latest), by (seconds it was set), lines: each stop (seconds since the base), whole,
  --   part and rate: the clock is ahead by whole + part + rate * (time since the base) seconds
  -- @param on_journal function: of the body of a journal entry, and the whole, part and rate of the line that holds:
  --   the body with its time set right, and seconds and nanoseconds of that, or nil
  -- @param is_annotated whether what pywnv put there is left out: the frames get other numbers
  function merger.add(cursor, input_seconds, input_nanos, segments, on_journal, is_annotated)
    strip = strip or is_annotated and strip_of()
    inputs[#inputs + 1] = {
      cursor = cursor, base_seconds = input_seconds, base_nanos = input_nanos, segments = segments,
      on_journal = on_journal, segment = 1, line = 1, latest = -huge, number = 0, key = -huge, has_head = false,
      is_annotated = is_annotated, is_over = false, high = 0, low = 0, text = nil,
    }
    return #inputs
  end

  --- Says that an observer has nothing more.
  function merger.finish(which)
    inputs[which].is_over = true
  end

  local function set_key(input, seconds, nanos, whole, part)
    local key = seconds - base_seconds - whole + (nanos / 1e9 - part)
    if key > input.key then
      input.key = key
    end
  end

  local function take_packet(input, cursor)
    input.number = input.number + 1
    local seconds, nanos = cursor.seconds, cursor.nanos
    if not seconds or seconds == 0 and nanos == 0 then -- the time of what has none
      input.high, input.low = 0, 0
      return
    end
    local since = since_base(input, seconds, nanos)
    note_set(input, since)
    local line, units = line_at(input, since), cursor.interface.units
    local high, low = cursor.high, cursor.low
    if cursor.kind == RECORD then
      high, low = halves(seconds, nanos * units / 1e9, units)
    end
    input.high, input.low = shifted(line, since, units, high, low)
    set_key(input, seconds, nanos, line.whole, line.part + line.rate * since)
  end

  -- The times of statistics, which stand in the units of their interface.
  local function set_time(input, interface, high, low)
    local units, scale = interface.units, 1 / interface.units
    local seconds = (high * HALF + low) * scale + interface.offset
    local since = seconds - input.base_seconds - input.base_nanos / 1e9
    return shifted(line_at(input, since), since, units, high, low)
  end

  local function statistics(input, cursor)
    local buf, from, stop = cursor:text(), cursor.from, cursor.stop
    local interface = cursor.interfaces[read32(buf, from + 8) + 1]
    if not interface or stop - from < 23 then
      return sub(buf, from, stop)
    end
    local high, low = set_time(input, interface, read32(buf, from + 12), read32(buf, from + 16))
    local parts = { sub(buf, from, from + 7), put32(interface.number), put32(high), put32(low) }
    local at, last = from + 20, from + 20
    while at + 3 <= stop - 4 do
      local code, size = read16(buf, at), read16(buf, at + 2)
      if code == 0 or at + 3 + size > stop - 4 then
        break
      elseif (code == START_TIME or code == END_TIME) and size == 8 then
        high, low = set_time(input, interface, read32(buf, at + 4), read32(buf, at + 8))
        parts[#parts + 1] = sub(buf, last, at + 3) .. put32(high) .. put32(low)
        last = at + 12
      end
      at = at + 4 + size + -size % 4
    end
    parts[#parts + 1] = sub(buf, last, stop)
    return table.concat(parts)
  end

  local function journal(input, cursor)
    local buf = cursor:text()
    local line = input.segments[input.segment].lines[input.line]
    local entry = sub(buf, cursor.from + 8, cursor.stop - 4)
    if input.is_annotated then
      local fields, zeros = strip.fields(entry)
      entry = fields .. zeros
    end
    local body, seconds, nanos = input.on_journal(entry, line.whole, line.part, line.rate)
    if seconds then
      set_key(input, seconds, nanos, 0, 0)
    end
    local length = put32(#body + 12)
    return put32(JOURNAL) .. length .. body .. length
  end

  -- Steps to the next block that is to be written.
  local function advance(input)
    local cursor = input.cursor
    while true do
      local found, problem = cursor:next()
      if not found then
        return found, problem
      end
      local kind = cursor.kind
      input.text = nil
      if cursor:is_packet() then
        take_packet(input, cursor)
        break
      elseif kind == JOURNAL then
        input.text = journal(input, cursor)
        break
      elseif kind == STATISTICS then
        input.text = statistics(input, cursor)
        break
      elseif kind ~= SECTION and kind ~= INTERFACE then
        input.text = sub(cursor:text(), cursor.from, cursor.stop)
        break
      end
    end
    input.has_head = true
    return true
  end

  -- A packet that stands in a block of another kind.
  local function put_anew(input, cursor)
    local buf, captured = cursor:text(), cursor.captured
    local padding = -captured % 4
    local length = put32(32 + captured + padding)
    out:put(put32(PACKET), length, put32(cursor.interface.number), put32(input.high), put32(input.low))
    out:put(put32(captured), put32(cursor.length))
    out:put(sub(buf, cursor.data, cursor.data + captured - 1), PADDING[padding], length)
  end

  -- Puts a packet block without what pywnv put into its options.
  -- @return whether there was anything
  local function put_stripped(input, cursor)
    local buf, from, stop = cursor:text(), cursor.from, cursor.stop - 4
    local at = cursor.data + cursor.captured + -cursor.captured % 4
    local rest, was_own = "", false
    if at <= stop then
      rest, was_own = strip.options(buf, at, stop, is_big and -1 or 1)
    end
    if not was_own then
      return false
    end
    local length = put32(at - from + #rest + 4)
    out:put(put32(PACKET), length, put32(cursor.interface.number), put32(input.high), put32(input.low))
    out:put(sub(buf, from + 20, at - 1), rest, length)
    return true
  end

  local function put(input)
    local cursor, text = input.cursor, input.text
    written = written + 32
    if text then
      out:put(text)
      return
    end
    local kind = cursor.kind
    written = written + cursor.captured
    if kind == PACKET then
      if not (input.is_annotated and put_stripped(input, cursor)) then
        put_with(out, cursor, input.high, input.low)
      end
    elseif kind == OLD_PACKET then
      local buf, from, number = cursor:text(), cursor.from, cursor.interface.number
      local upper, lower = floor(number / 256) % 256, number % 256
      out:put(
        sub(buf, from, from + 7), is_big and char(upper, lower) or char(lower, upper), sub(buf, from + 10, from + 11),
        put32(input.high), put32(input.low), sub(buf, from + 20, cursor.stop)
      )
    else
      put_anew(input, cursor)
    end
  end

  local function text()
    written = 0
    return out:get()
  end

  --- Merges.
  -- @return a piece of the output; the number of the observer whose next piece is needed, or nil; what is wrong there,
  --   or nil; whether all is done
  function merger.run()
    while written < ENOUGH do
      local least, key = nil, huge
      for which = 1, #inputs do
        local input = inputs[which]
        if not input.is_over then
          if not input.has_head then
            local found, problem = advance(input)
            if not found then
              return text(), which, problem, false
            end
          end
          if not least or input.key < key then
            least, key = input, input.key
          end
        end
      end
      if not least then
        return text(), nil, nil, true
      end
      put(least)
      least.has_head = false
    end
    return text(), nil, nil, false
  end

  return merger
end

return M
