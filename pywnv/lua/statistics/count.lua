--- A sink that counts what the frames of a capture show, and gives all of it at the end, as JSON.
--
-- What a packet did is known only when no more of its sightings come. So each has a record in a slot, by its number,
-- and is counted SLOTS frames later, or at the end; its record is used again. Memory does not grow with the capture.

local limits, codes, is_to_group, wanted, parts, ends_of, write = ...

local find, max, min = string.find, math.max, math.min

local SLOTS = limits.slots
local MICRO = 1e-6 -- the first width of a bin
local PACKET_ID = codes.evidence["packet-id"]
local EVENT, RETRANSMISSION, REPEAT = codes.verdict.event, codes.verdict.retransmission, codes.verdict["repeat"]

local direction_names = {}
for name, code in pairs(codes.direction) do
  direction_names[code] = name
end

local count_in = parts.timeline.add
local over_time, over_frames = parts.timeline.new(MICRO), parts.timeline.new(1)
local places = parts.places.new(over_time)
local traffic, questions = parts.traffic.new(), parts.questions.new()
local way_of = parts.selection.new(wanted)
local strangers = parts.strangers.new()
local outcome = parts.outcome.new(over_time, over_frames, questions, not way_of)
local losses = parts.losses.new(not way_of)

local M = { missed = losses.note_missed }

local total = {
  all_frames = 0, frames = 0, packets = 0, duplicates = 0, octets = 0, events = 0, retransmissions = 0, repeats = 0,
  translated = 0, late = 0, by_id = 0, without_time = 0, steps_back = 0, furthest_back = 0,
}
local series = {
  packets = over_time.series(), duplicates = over_time.series(), retransmissions = over_time.series(),
  octets = over_time.series(), drops = outcome.harmful, harmless = outcome.harmless,
}
local first_seconds, first_nanos -- of the capture
local time_before = 0 -- that of the last frame

local sightings = parts.sightings.new(total, places, over_time, series.duplicates, count_in)
local records = {} -- by slot; false: of no packet
local free, free_count = {}, 0 -- records of packets that have been counted
local nears = {} -- drops that only the time joins with a packet, by that
local examples = parts.examples.new(sightings)
local asked_ring = {} -- by slot, the question that the packet asks which began there

-- Counts a packet that TCP or the network has sent again.
local function take_again(number, verdict, flow, time_bin)
  if verdict == RETRANSMISSION then
    total.retransmissions = total.retransmissions + 1
    total.first_retransmission = total.first_retransmission or number
    count_in(series.retransmissions, time_bin, 1)
    if flow then
      flow.retransmissions, flow.first_trouble = flow.retransmissions + 1, flow.first_trouble or number
    end
  else
    total.repeats, total.first_repeat = total.repeats + 1, total.first_repeat or number
    if flow then
      flow.repeats = flow.repeats + 1
    end
  end
end

local function close(record)
  local near = nears[record.packet] or false
  if record.drops or near then
    losses.drop(record.packet)
  end
  nears[record.packet] = nil
  examples.close(record, near, outcome.close(record, near))
end

-- Makes the record of a packet.
local function open(packet, way, ends, length, is_group)
  local slot = packet % SLOTS
  local record = free[free_count]
  if record then
    free_count = free_count - 1
  else
    -- Sixteen fields: one more would double what each of many records takes.
    record = {
      packet = 0, way = "", mask = 0, end_time = false, end_hop = false, end_frame = 0, last_frame = 0, drops = false,
      first_hop = false, flow = false, is_back = false, question = false, path = false, direction = "",
      is_to_group = false, first_time = false,
    }
  end
  records[slot] = record
  strangers.forget(packet)
  record.packet, record.way, record.mask, record.direction = packet, way, 0, "unknown"
  record.drops, record.end_time, record.end_hop = false, false, false
  record.flow, record.question, record.first_hop = false, false, false
  record.is_to_group = is_group
  total.packets, total.octets = total.packets + 1, total.octets + length
  total.first_frame = min(total.first_frame or packet, packet)
  local time = sightings.times[slot]
  local time_bin = time and over_time.bin(time)
  count_in(series.packets, time_bin, 1)
  count_in(series.octets, time_bin, length)
  local flow = false
  if ends then
    flow = traffic.of(ends, packet, length)
    record.flow, record.is_back = flow, ends.name ~= flow.name
  end
  local asked = asked_ring[slot]
  if asked and asked.packet == packet then
    record.question = asked.question
    questions.count(asked.question)
  end
  local verdict = sightings.verdicts[slot] -- of the packet's first frame
  if verdict == RETRANSMISSION or verdict == REPEAT then
    take_again(packet, verdict, flow, time_bin)
  end
  return record
end

-- Notes a packet that was not seen before, whether it is selected or not: it may ask, or answer.
local function take_first(packet, frame, ends)
  if not ends then
    return
  end
  if not ends.name then
    traffic.name(ends)
  end
  traffic.count_addresses(ends)
  local question = questions.take(frame.time and frame.written or frame.key, ends, frame, true)
  if question then
    asked_ring[packet % SLOTS] = { packet = packet, question = question }
  end
end

-- Behind a NAT, an answer goes to the address that has asked.
-- @return the name of the ends there, or nil
local function take_translated(frame)
  total.translated = total.translated + 1
  local ends = ends_of(frame)
  if ends then
    if not ends.name then
      traffic.name(ends)
    end
    questions.take(frame.time and frame.written or frame.key, ends, frame, false)
  end
  return ends and ends.name
end

-- Selects a packet because of an event: what was seen of it before counts.
-- @param seen of it, as `strangers.of` gives it
local function select_late(seen, way)
  local packet, ends = seen.packet, seen.ends
  if ends and not ends.name then
    traffic.name(ends)
  end
  local record = open(packet, way, ends, seen.length, seen.is_to_group)
  sightings.catch_up(record, seen.last_frame)
  record.path, record.direction = seen.path, direction_names[seen.direction] or "unknown"
  return record
end

-- Selects the packet that began in a slot, now that it is over, if it was not seen again after an event told of a drop.
local function select_near(slot)
  local seen = strangers.at(slot)
  local near = seen and nears[seen.packet]
  if near and seen.last_frame == near.after then
    return select_late(seen, near.way)
  elseif near then
    nears[seen.packet] = nil
    outcome.event(near)
  end
  return nil
end

-- Makes the slot of a frame free: the packet that began there SLOTS frames ago is over.
local function make_room(slot)
  local record = records[slot] or select_near(slot)
  asked_ring[slot] = false
  if record then
    close(record)
    records[slot], record.flow, record.question, record.drops = false, false, false, false
    free_count = free_count + 1
    free[free_count] = record
  end
  losses.settle(slot)
end

-- An event of the vmSwitch.
local function take_event(number, said, time)
  local packet = said.event_packet or said.event_near and sightings.packet(said.event_near)
  local record = packet and records[packet % SLOTS]
  local is_known = record and record.packet == packet
  local way = not is_known and wanted and wanted.nic and way_of(nil, said)
  local seen = way and packet and number - packet < SLOTS and strangers.of(packet)
  if seen and said.event_packet then
    record, is_known = select_late(seen, way), true
  elseif way_of and not is_known and not way then
    return
  end
  total.events = total.events + 1
  if not said.drop then
    return
  end
  local drop = parts.outcome.drop_of(number, said, time)
  drop.is_event, drop.place, drop.way = true, parts.selection.place_of(said), way
  if is_known and said.event_packet then
    parts.outcome.add_drop(record, drop)
  elseif is_known or seen then
    drop.after = said.event_near
    nears[packet] = drop
  else
    outcome.event(drop)
  end
end

-- The record of a frame's packet; nil if it does not count.
local function record_of(number, said, frame, hop, ends)
  local packet = said.packet
  local slot = packet % SLOTS
  local record = records[slot]
  local is_open = record and record.packet == packet
  if packet == number then
    take_first(packet, frame, ends)
  elseif is_open then
    return record
  elseif number - packet >= SLOTS then
    total.late = total.late + (way_of and 0 or 1)
    return nil
  end
  local way = "unknown"
  if way_of then
    ends = ends or ends_of(frame)
    way = (ends or wanted.nic) and way_of(ends, said)
    if not way then
      strangers.see(number, said, hop, ends, frame)
      return nil
    end
    if ends and not ends.name then
      traffic.name(ends)
    end
  end
  record = open(packet, way, ends, frame.length, is_to_group(frame))
  if packet ~= number then
    sightings.catch_up(record, said.previous)
  end
  return record
end

--- Takes a frame.
function M.row(number, seconds, nanos, _, said, _, _, frame)
  total.all_frames = number
  make_room(number % SLOTS)
  if not said then
    return
  end
  local time = nil
  if seconds and not (seconds == 0 and nanos == 0) then
    if not first_seconds then
      first_seconds, first_nanos = seconds, nanos
    end
    time = seconds - first_seconds + (nanos - first_nanos) / 1e9
    if time < time_before - MICRO then -- less is what a double cannot hold
      total.steps_back = total.steps_back + 1
      total.furthest_back = max(total.furthest_back, time_before - time)
    end
    time_before = time
  else
    total.without_time = total.without_time + 1
  end
  if said.verdict == EVENT then
    take_event(number, said, time)
    return
  end
  local hop = places.hop(said.hop or false, said.hop_role, frame.hop.observer)
  hop.all_frames = hop.all_frames + 1
  sightings.note(number, said, hop, time)
  local translated = said.rewritten and find(said.rewritten, "nat", 1, true) and take_translated(frame)
  local ends = said.packet == number and ends_of(frame) or nil
  local record = record_of(number, said, frame, hop, ends)
  if hop.observer then
    losses.take(frame, said, ends, hop, time, translated, record and record.way)
  end
  if not record then
    return
  end
  sightings.count(record, number, said.path)
  if said.duplicate and said.evidence == PACKET_ID then
    total.by_id = total.by_id + 1
  end
  if said.direction then
    record.direction = direction_names[said.direction]
    if not way_of then
      record.way = record.direction
    end
  end
  if said.drop then
    hop.dropped = hop.dropped + 1
    parts.outcome.add_drop(record, parts.outcome.drop_of(number, said, time))
  end
end

--- There is no text before the end.
function M.finish()
  return ""
end

-- Puts the bins of entries in place of their series.
local function listed(list)
  for at = 1, #list do
    local one = list[at]
    one.last_packet = nil
    one.times = one.times and over_time.list(one.times) or { is_list = true }
    one.longest = one.longest and over_time.list(one.longest)
    one.frames = type(one.frames) == "table" and over_frames.list(one.frames) or one.frames
    one.histogram = one.histogram and parts.timeline.pairs(one.histogram)
  end
  return list
end

--- All of it.
function M.total()
  local late = {}
  for packet in pairs(nears) do
    late[#late + 1] = packet
  end
  table.sort(late)
  for at = 1, #late do
    select_near(late[at] % SLOTS)
  end
  local left = {}
  for _, record in pairs(records) do
    left[#left + 1] = record or nil
  end
  table.sort(left, function(one, other)
    return one.packet < other.packet
  end)
  for at = 1, #left do
    close(left[at])
  end
  outcome.end_capture(left, total.all_frames)
  local bins = {}
  for name, one in pairs(series) do
    bins[name] = over_time.list(one)
  end
  return write({
    examples = examples.list(outcome.paths), total = total, losses = losses.finish(total.all_frames),
    start = first_seconds and { first_seconds, first_nanos } or { is_list = true },
    verdicts = parts.timeline.pairs(sightings.of_verdict), hops = listed(places.hops), steps = listed(places.steps),
    paths = outcome.paths, ends = outcome.ends, drops = listed(outcome.drops),
    masks = listed(outcome.masks), strangers = strangers.close(),
    questions = questions.groups, flows = traffic.sorted(),
    addresses = traffic.addresses, protocols = traffic.protocols, series = bins,
    width = over_time.width, bins = over_time.last + 1, frame_width = over_frames.width,
  })
end

return M
