--- What became of packets: their paths, where they were seen last, and which were dropped, why and where.

local limits = ...

local max, min, find, sub = math.max, math.min, string.find, string.sub

local NO_PAIR = -1
local OTHERS = "(others)"
-- Who asks for all hosts, and not one, asks in vain every day.
local JUDGED = { handshake = true, ping = true }

local M = {}

--- What a frame or an event says about a drop.
function M.drop_of(number, said, time)
  return {
    reason = said.drop_reason, text = said.drop_reason_text, place = said.hop, rule = said.drop_rule,
    harmless = said.drop_harmless or false, advice = said.drop_advice, frame = number, time = time,
  }
end

--- Adds a drop to those of a packet.
function M.add_drop(record, drop)
  if not record.drops then
    record.drops = {}
  end
  record.drops[#record.drops + 1] = drop
end

-- Counts a packet of a path by its sender and receiver: of the first pairs only.
local function count_between(path, record)
  local flow, between = record.flow, path.between
  if not flow or not flow.source or not flow.destination then
    return
  end
  local source, destination = flow.source, flow.destination
  if record.is_back then
    source, destination = destination, source
  end
  for at = 1, #between do
    local pair = between[at]
    if pair.source == source and pair.destination == destination then
      pair.packets = pair.packets + 1
      return
    end
  end
  if #between < limits.between then
    between[#between + 1] = { source = source, destination = destination, packets = 1 }
  end
end

--- @param over_time, over_frames scales, as `timeline.new` gives them
-- @param questions as `questions.new` gives it
-- @param is_all    whether no packets were selected
-- @return table: close, event, end_capture; paths, ends, drops, masks: lists; harmful, harmless: series. A mask has,
--   of packets to one receiver and of a class of addresses (`pair`), the bits of the hops that they passed, and how
--   many came, over frames.
function M.new(over_time, over_frames, questions, is_all)
  local outcome = {
    paths = { is_list = true }, ends = { is_list = true }, drops = { is_list = true }, masks = { is_list = true },
    harmful = over_time.series(), harmless = over_time.series(),
  }
  local paths, ends, drops, masks = {}, {}, {}, {} -- by name

  -- Puts an entry among those of its kind; when there are too many, one stands for all that follow.
  local function add(of, list, name, new)
    local others = #list >= limits.kinds
    local found = others and of[OTHERS] or new
    if found == new then
      found.is_others = others or nil
      list[#list + 1] = found
    end
    of[others and OTHERS or name] = found
    return found
  end

  local function count_in(series, time)
    local bin = over_time.bin(time)
    series[bin] = (series[bin] or 0) + 1
  end

  local function count_drop(way, drop, does_no_harm, packet, is_near)
    local name = table.concat({
      way, drop.reason or "", drop.text or "", drop.place or "", drop.rule or "", does_no_harm and "harmless" or "",
    }, "\n")
    local found = drops[name] or add(drops, outcome.drops, name, {
      way = way, reason = drop.reason, text = drop.text, hop = drop.place, rule = drop.rule, harmless = does_no_harm,
      advice = drop.advice, packets = 0, near = 0, frames = 0,
    })
    found.times = found.times or over_time.series() -- not of each that becomes one of the others
    found.frames = found.frames + 1
    if is_near then
      found.near = found.near + 1
    elseif packet and found.last_packet ~= packet then
      found.packets, found.last_packet = found.packets + 1, packet
    end
    found.first_frame = min(found.first_frame or drop.frame, drop.frame)
    found.last_frame = max(found.last_frame or 0, drop.frame)
    if drop.time then
      count_in(found.times, drop.time)
      count_in(does_no_harm and outcome.harmless or outcome.harmful, drop.time)
    end
  end

  -- Counts the drops of a packet.
  -- @return whether it was dropped where it was seen last, with harm; without; whether only an event reports a drop
  local function close_drops(record, near, is_unanswered)
    local list = record.drops
    local harmful, harmless, is_near = false, false, false
    for at = 1, list and #list or 0 do
      local drop = list[at]
      local does_no_harm = drop.harmless and not is_unanswered
      count_drop(record.way, drop, does_no_harm, record.packet, false)
      if drop.is_event or drop.frame == record.end_frame then
        harmful, harmless = harmful or not does_no_harm, harmless or does_no_harm
      end
    end
    if near then
      is_near = not list and near.after == record.last_frame
      if is_near or is_all then
        count_drop(is_near and record.way or "unknown", near, near.harmless, record.packet, is_near)
      end
    end
    return harmful, harmless and not harmful, is_near
  end

  local function count_end(record, harmful, harmless, is_near)
    local way, hop = record.way, record.end_hop
    local of_way = ends[way]
    if not of_way then
      of_way = {}
      ends[way] = of_way
    end
    local found = of_way[hop.index]
    if not found then
      local new = { way = way, hop = hop.index, packets = 0, dropped = 0, dropped_harmless = 0, near = 0 }
      found = add(of_way, outcome.ends, hop.index, new)
    end
    found.packets = found.packets + 1
    found.dropped = found.dropped + (harmful and 1 or 0)
    found.dropped_harmless = found.dropped_harmless + (harmless and 1 or 0)
    found.near = found.near + (is_near and 1 or 0)
    found.first_frame = min(found.first_frame or record.end_frame, record.end_frame)
  end

  local function path_of(record)
    local path, way, direction = record.path, record.way, record.direction
    local of_way = paths[way] or { [direction] = {} }
    local of_direction = of_way[direction] or {}
    paths[way], of_way[direction] = of_way, of_direction
    local new = { path = path or nil, way = way, direction = direction, packets = 0, unfinished = 0, span = 0 }
    new.between = { is_list = true }
    return of_direction[path] or add(of_direction, outcome.paths, path, new)
  end

  local function count_path(record)
    local found = path_of(record)
    count_between(found, record)
    found.packets = found.packets + 1
    found.span = max(found.span, record.last_frame - record.packet)
    if not found.first_frame or record.packet < found.first_frame then
      found.first_frame, found.last_frame = record.packet, record.last_frame
    end
    return found
  end

  local function count_mask(record)
    local pair = record.flow and record.flow.pair or NO_PAIR
    local of_pair = masks[pair]
    if not of_pair then
      of_pair = {}
      masks[pair] = of_pair
    end
    local known = of_pair[record.mask]
    if not known then
      if #outcome.masks >= limits.masks then
        return
      end
      known = { mask = record.mask, pair = pair, frames = over_frames.series() }
      of_pair[record.mask], outcome.masks[#outcome.masks + 1] = known, known
    end
    local bin = over_frames.bin(record.packet)
    known.frames[bin] = (known.frames[bin] or 0) + 1
  end

  --- Counts a packet of which no more sightings are expected.
  -- @param record of it, as `count` keeps it
  -- @param near   a drop that only the time joins with it, or false
  -- @return where its path is counted; whether an event reports its drop by its time only
  function outcome.close(record, near)
    local question, flow, packet = record.question, record.flow, record.packet
    local is_dropped = record.drops ~= false
    local is_unanswered = question and questions.close(question, packet, record.end_hop.index, is_dropped) or false
    local is_judged = is_unanswered and JUDGED[question.kind] or false
    local harmful, harmless, is_near = close_drops(record, near, is_judged)
    count_end(record, harmful, harmless, is_near)
    local path = count_path(record)
    if not record.is_to_group then
      count_mask(record)
    end
    if not flow then
      return path, is_near
    end
    flow.dropped = flow.dropped + (harmful and 1 or 0)
    flow.dropped_harmless = flow.dropped_harmless + (harmless and 1 or 0)
    flow.near = flow.near + (is_near and 1 or 0)
    flow.unanswered = flow.unanswered + (is_unanswered and 1 or 0)
    if harmful or is_near or is_unanswered then
      flow.first_trouble = min(flow.first_trouble or packet, packet)
    end
    return path, is_near
  end

  --- Counts, by path, the packets that began so late that the rest of them may lie behind the end of the capture.
  -- @param left       records of the last packets, which are closed
  -- @param all_frames how many the capture has
  function outcome.end_capture(left, all_frames)
    local spans = {} -- the most frames that packets take which go on from there, by path
    for _, one in ipairs(outcome.paths) do
      local at = one.path and find(one.path, " > ", 1, true)
      while at do
        local before = sub(one.path, 1, at - 1)
        spans[before] = max(spans[before] or 0, one.span)
        at = find(one.path, " > ", at + 1, true)
      end
    end
    for at = 1, #left do
      local record = left[at]
      if record.packet + (spans[record.path] or 0) > all_frames then
        local found = path_of(record)
        found.unfinished = found.unfinished + 1
      end
    end
  end

  --- Counts an event that reports a drop, but of no packet that is known.
  function outcome.event(drop)
    count_drop("unknown", drop, drop.harmless, nil, false)
  end

  return outcome
end

return M
