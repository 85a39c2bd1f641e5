--- Walks the packet records of a capture, lets the engine decide each frame, and hands it to a sink, which writes.
--
-- This body of the engine runs under lupa. Python reads the file, understands every block that is not a packet and
-- says where results go; one call here takes a whole chunk, so that nothing is done in Python for each frame.
-- A sink has `row`, which takes a frame, and `finish`, which gives the text of a chunk; it may have `section`, which is
-- told where one starts.
-- Sources: draft-ietf-opsawg-pcapng (blocks), draft-ietf-opsawg-pcap (records).

local engine, bytes, times, read_options, sink, on_block = ...

local row, finish = sink.row, sink.finish

local floor, format = math.floor, string.format
local little32, big32, little16, big16 = bytes.little32, bytes.big32, bytes.little16, bytes.big16

local SECTION, SIMPLE_PACKET, OLD_PACKET, PACKET = 0x0a0d0d0a, 3, 2, 6
local LITTLE, BIG = 0x1a2b3c4d, 0x4d3c2b1a -- the byte-order magic, read as little-endian
local JOURNAL = 9
local READ32, READ16 = { [1] = little32, [-1] = big32 }, { [1] = little16, [-1] = big16 } -- by `order`
local LARGEST_BLOCK = 16 * 1024 * 1024 -- as Wireshark
local NANO, time_of = times.NANO, times.of

local M = {}

local read32, read16 = little32, little16
local order = 1 -- of bytes; -1: big-endian
local interfaces = {}
local file_before = {} -- interfaces of the file before, in a series of files
local running = nil
local number = 0 -- of the last frame that was taken
local first_seconds, first_nanos

-- What is done with frames: of those before `from` the engine learns, once it warms up; those up to `to` go to the
-- sink. A chunk ends with the last frame with which the same is done.
local from, to, warm_up = 1, math.huge, 0
local chunk_ends = math.huge

-- The frames of one chunk. All are found, then all are read, then decided, then written: one loop that does all is too
-- much for a tracing compiler, which makes code for each way from here to its end.
local count = 0
local frames = {} -- as the engine takes them
local blocks = {} -- where its block, or its record of a pcap, starts in the chunk; negative: it is big-endian
local interfaces_of, seconds_of, nanos_of = {}, {}, {} -- false if there is none
local options_from, options_to = {}, {}
local journals = {} -- the body of a journal entry; false: it is another record that is not a packet
local nodes, packets, previous, rules, rewritten, repeats = {}, {}, {}, {}, {}, {}
local deltas, elapsed, wholes, facts = {}, {}, {}, {}
local events, nears, event_packets, event_rules = {}, {}, {}, {}
local said, event_said = {}, {}

if jit then
  -- The engine has many ways through, and code for one that few frames go costs more than it saves.
  jit.opt.start("maxtrace=8000", "maxmcode=16384", "maxside=4000", "hotexit=150", "hotloop=100")
end

--- Starts a capture.
-- @param window seconds, or nil
-- @param epoch, warming  how long they are for the engine, in frames
function M.start(window, epoch, warming)
  running, warm_up = engine.new(window, epoch, warming), warming
  number, first_seconds, count = 0, nil, 0
end

local function set_chunk_end()
  local passed = from - 1 - warm_up
  chunk_ends = number < passed and passed or number < from - 1 and from - 1 or to
end

--- Says which frames to decide: the last of them is the last that is taken. By default all.
-- @param first of an epoch; none that has been taken already, but where it goes on
-- @param last  of an epoch
function M.decide(first, last)
  from, to = first, last
  set_chunk_end()
end

--- Goes on with the next file of a series: there, interfaces of the same number and name are the same places.
function M.go_on()
  file_before = interfaces
end

--- Starts a section: its interfaces are counted from 0 again.
function M.section(is_big)
  order = is_big and -1 or 1
  read32, read16 = READ32[order], READ16[order]
  interfaces = {}
end

--- Adds an interface to the section.
-- @param kind   of its link header
-- @param name, description  strings or nil
-- @param units  of its timestamps, per second; at most 2^40
-- @param offset seconds to add to its timestamps
-- @param snap   the most bytes it captures of a frame; 0: all
-- @param numbered whether the file numbers its interfaces
function M.interface(kind, name, description, units, offset, snap, numbered)
  local id = #interfaces
  local old = file_before[id + 1]
  local is_same = old and old.kind == kind and old.name == name and old.description == description
  interfaces[id + 1] = {
    place = is_same and old.place or nil,
    id = numbered and id or nil,
    kind = kind,
    name = name,
    description = description,
    units = units,
    scale = NANO % units == 0 and NANO / units or nil, -- from units to nanoseconds, where that is exact
    offset = offset,
    snap = snap,
    high = -1, -- the upper half of a timestamp, and what it is in seconds and units
    high_seconds = 0,
    high_units = 0,
  }
end

-- Notes a frame of the chunk.
local function note(block, interface, seconds, nanos)
  count = count + 1
  blocks[count] = block * order
  interfaces_of[count], seconds_of[count], nanos_of[count] = interface or false, seconds or false, nanos or 0
  options_from[count] = false
end

-- A frame to fill in: with all its keys from the start, as `packet_store` makes packets.
local function new_frame()
  return {
    kind = "", buf = "", at = 0, stop = 0, length = 0, number = 0, time = 0, hop = false, tag = false,
    tool_metadata = false, key = "", content = "", header = "", link = "", cut = false, size = 0, mutable = 0, ttl = 0,
    ident = 0, outer_ident = 0, outer_ends = "", vni = 0, protocol = 0, has_transport = false, l2 = 0, l3 = 0, room = 0,
    span = 0, written = false, written_ends = false, flow = false, place = false, root = false,
    is_drop = false,
  }
end

-- Notes one that is a packet.
local function note_packet(block, interface, seconds, nanos, buf, at, captured, length)
  note(block, interface, seconds, nanos)
  local frame = frames[count]
  if not frame then
    frame = new_frame()
    frames[count] = frame
  end
  frame.kind, frame.buf, frame.at, frame.stop, frame.length = interface.kind, buf, at, at + captured - 1, length
end

-- The time of a frame as Wireshark's Lua gives it, so that both bodies get the same double.
local function relative(seconds, nanos)
  if seconds and not first_seconds then
    first_seconds, first_nanos = seconds, nanos
  end
  if not seconds or seconds == 0 and nanos == 0 then -- there, 0 is no time at all
    return nil
  end
  local whole, part = seconds - first_seconds, nanos - first_nanos
  if whole > 0 and part < 0 then
    whole, part = whole - 1, part + NANO
  elseif whole < 0 and part > 0 then
    whole, part = whole + 1, part - NANO
  end
  return whole + part / NANO
end

-- Puts together what the engine takes of a packet of the chunk.
local function frame_of(buf, at)
  local interface, block, frame = interfaces_of[at], blocks[at], frames[at]
  local place = interface.place
  if not place then
    place = running.place(number, interface.kind, interface.id, interface.name, interface.description)
    interface.place = place
  end
  frame.number, frame.time, frame.hop = number, relative(seconds_of[at], nanos_of[at]), place
  frame.tag, frame.tool_metadata = nil, nil
  local options = options_from[at]
  if options then
    frame.tag, frame.tool_metadata =
      read_options(buf, options, options_to[at], block < 0 and -1 or 1, running.wants(number))
  end
  return frame
end

local function keep_event(at, said_of_event, near, packet, rule)
  nodes[at], events[at], nears[at], event_packets[at] = false, said_of_event or false, near or false, packet or false
  event_rules[at] = rule or false
end

-- Has the engine decide a packet of the chunk.
local function decide_packet(at)
  local node, said_of_event, near, about, rule = running.decide()
  if not node then
    keep_event(at, said_of_event, near, about, rule)
    return
  end
  local found = running.found
  nodes[at], packets[at], previous[at] = node, found.packet, found.previous or false
  rules[at], rewritten[at], repeats[at] = found.rule, found.rewritten, found.repeat_of or false
  deltas[at], elapsed[at] = found.delta or false, found.elapsed or false
  wholes[at], facts[at] = found.segment_of or false, found.facts or false
end

-- A journal entry, or another record that is not a packet.
local function decide_record(at)
  local time = relative(seconds_of[at], nanos_of[at])
  if journals[at] then
    keep_event(at, running.journal(time, journals[at]))
  else
    nodes[at], events[at] = false, false
  end
end

-- The steps of all frames are taken in one loop: that gives a tracing compiler a place where the ways through each step
-- meet again.
local function decide(buf)
  for at = 1, count do
    if interfaces_of[at] then
      running.read(frames[at])
    end
  end
  for step = 3, 3 * count + 2 do
    local at = floor(step / 3)
    local which = step - 3 * at
    if which == 2 then
      running.commit()
    elseif interfaces_of[at] then
      if which == 0 then
        number = number + 1
        running.look(frame_of(buf, at))
      else
        decide_packet(at)
      end
    elseif which == 0 then
      number = number + 1
      decide_record(at)
    end
  end
end

-- Goes past frames that others decide.
local function pass(buf)
  for at = 1, count do
    number = number + 1
    if interfaces_of[at] then
      running.pass(frame_of(buf, at))
    else
      relative(seconds_of[at], nanos_of[at])
    end
  end
end

-- The sink's text for all frames of a chunk, and for what else it holds up to the byte `stop`.
local function take(buf, stop)
  if number < from - 1 then
    if number < from - 1 - warm_up then
      pass(buf)
    else
      decide(buf)
    end
    count = 0
    set_chunk_end()
    return ""
  end
  decide(buf)
  local before = number - count
  for at = 1, count do
    local node = nodes[at]
    if node then
      local earlier, delta, since_first = previous[at] or nil, deltas[at] or nil, elapsed[at] or nil
      engine.describe(
        said, node, packets[at], earlier, rules[at], rewritten[at], delta, since_first, wholes[at] or nil,
        repeats[at] or nil, facts[at] or nil
      )
    elseif events[at] then
      local near, packet, rule = nears[at] or nil, event_packets[at] or nil, event_rules[at] or nil
      engine.describe_event(event_said, events[at], near, packet, rule)
    end
    local shown = node and said or events[at] and event_said
    local interface = interfaces_of[at]
    local id, frame = interface and interface.id, node and frames[at]
    row(before + at, seconds_of[at], nanos_of[at], id, shown, buf, blocks[at], frame)
  end
  count = 0
  return finish(buf, stop)
end

-- What a walk gives back.
local function end_walk(buf, stop, problem)
  local has_ended = number + count == chunk_ends
  local text = take(buf, stop)
  return text, stop, problem, number, has_ended, number == to
end

--- Walks the blocks of a pcapng.
-- @param buf the next piece of the file, starting with a block
-- @return the sink's text; how many bytes were taken; nil or what is wrong with the block behind them; the number of
--   the last frame; whether what follows may be a whole block; whether all that `decide` names is done
function M.pcapng(buf)
  local at, size = 1, #buf
  local problem
  while at + 11 <= size and number + count < chunk_ends do
    local kind = read32(buf, at)
    if kind == SECTION then
      local magic = little32(buf, at + 8)
      if magic ~= LITTLE and magic ~= BIG then
        problem = "a section header without a byte-order magic"
        break
      end
      M.section(magic == BIG)
    end
    local length = read32(buf, at + 4)
    if length < 12 or length % 4 ~= 0 or length > LARGEST_BLOCK then
      problem = format("a block of type 0x%08x that claims to be %d bytes long", kind, length)
      break
    end
    if at + length - 1 > size then
      break
    end
    if read32(buf, at + length - 4) ~= length then
      problem = format("a block of type 0x%08x with two different lengths", kind)
      break
    end
    if kind == SECTION and sink.section and number >= from - 1 then
      sink.section(buf, at)
    end
    if kind == PACKET or kind == OLD_PACKET then
      if length < 32 then
        problem = "a packet block that is too short"
        break
      end
      local id = kind == PACKET and read32(buf, at + 8) or read16(buf, at + 8)
      local captured = read32(buf, at + 20)
      local interface = interfaces[id + 1]
      if not interface then
        problem = format("a packet of interface %d, which no block describes", id)
        break
      elseif captured > length - 32 then
        problem = format("a packet block that claims to hold %d bytes", captured)
        break
      end
      local seconds, nanos = time_of(interface, read32(buf, at + 12), read32(buf, at + 16))
      note_packet(at, interface, seconds, nanos, buf, at + 28, captured, read32(buf, at + 24))
      local options = at + 28 + captured + -captured % 4
      if options + 7 < at + length then -- most have none
        options_from[count], options_to[count] = options, at + length - 5
      end
    elseif kind == SIMPLE_PACKET then
      local interface = interfaces[1]
      if not interface or length < 16 then
        problem = "a simple packet block without an interface"
        break
      end
      local original = read32(buf, at + 8)
      local captured = math.min(original, length - 16)
      if interface.snap > 0 then
        captured = math.min(captured, interface.snap)
      end
      note_packet(at, interface, nil, nil, buf, at + 12, captured, original)
    else
      -- Python: is it a record of its own (true), and when was it made?
      local body = buf:sub(at + 8, at + length - 5)
      local record, seconds, nanos = on_block(kind, body)
      if record then
        note(at, nil, seconds, nanos)
        journals[count] = kind == JOURNAL and body
      elseif record == nil then
        problem = seconds
        break
      end
    end
    at = at + length
  end
  return end_walk(buf, at - 1, problem)
end

--- Walks the records of a classic pcap, whose only interface `section` and `interface` have made.
-- @return as `pcapng`
function M.pcap(buf)
  local at, size = 1, #buf
  local interface = interfaces[1]
  local problem
  while at + 15 <= size and number + count < chunk_ends do
    local captured = read32(buf, at + 8)
    if captured > LARGEST_BLOCK then
      problem = format("a packet that claims to be %d bytes long", captured)
      break
    end
    if at + 15 + captured > size then
      break
    end
    local nanos = read32(buf, at + 4) * interface.scale % 4294967296 -- Wireshark keeps 32 bits
    local more = floor(nanos / NANO)
    local seconds, length = read32(buf, at) + more, read32(buf, at + 12)
    note_packet(at, interface, seconds, nanos - more * NANO, buf, at + 16, captured, length)
    at = at + 16 + captured
  end
  return end_walk(buf, at - 1, problem)
end

return M
