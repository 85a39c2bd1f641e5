--- Packets that one observer of a joined capture saw, and the next one did not.
--
-- A packet counts as missing only if it must have come: both observers saw a packet before it (of its flow, or of
-- another flow of this protocol between these addresses) and a packet of its flow after it. So both captured at that
-- time, and that path was in use. The clocks must only say which observer comes first; they do if packets went both
-- ways. Packets to a group take other paths, and frames that were cut or joined are other packets there: these never
-- count. If the next observer shows packets of the flow that the one before does not, these may be the missing ones.

local limits, tcp, codes, layout = ...

local concat, max, min, sort = table.concat, math.max, math.min, table.sort
local byte, sub = string.byte, string.sub

local LARGE = 1600 -- bytes: what is larger may be cut on the way
local MOST_SHARE = 0.5 -- lost of those that came: where more are missing, others may go another way
local LEAST_EXITS = 0.1 -- of the packets that came left by a hop that is a way out: others were lost before that
local REPEAT = codes.verdict["repeat"]
local SYN, FIN = 2, 1 -- flags that take a sequence number, as TCP's data does
local ECHO = { ICMP = { [8] = true, [0] = true }, ICMPv6 = { [128] = true, [129] = true } } -- kinds
local IS_CUT = { [codes.verdict.segment] = true, [codes.verdict.coalesced] = true }

local M = {}

local segment = {}

-- Whether TCP sends a packet again if it does not arrive.
local function is_sent_until_it_arrives(frame)
  if not tcp.read(frame, segment) then
    return false
  end
  local flags = segment.flags
  return segment.size > 0 or flags % (2 * SYN) >= SYN or flags % (2 * FIN) >= FIN
end

local function by_index(one, other)
  return one.index < other.index
end

-- The most packets first.
local function is_before(one, other)
  if one.packets ~= other.packets then
    return one.packets > other.packets
  end
  return one.first_frame < other.first_frame
end

--- The losses of one capture.
-- @param is_all whether no packets were selected
-- @return table: see, note, learn, settle, finish
function M.new(is_all)
  local flows, flow_count = {}, 0 -- by protocol, addresses and ports, and by protocol and addresses
  local pairs_of = {}
  -- By the name of an interface, how many packets its capture says that it missed, all in all.
  local missed, missed_count = {}, 0
  local losses = {}

  local function flow_named(name)
    local flow = flows[name]
    if not flow then
      flow = { following = {}, missing = {}, ways = {}, strange = {}, strangers = {} }
      flows[name], flow_count = flow, flow_count + 1
    end
    return flow
  end

  local function pair_named(way, from, to)
    local name = concat({ way, from, to }, "\n")
    local pair = pairs_of[name]
    if not pair then
      pair = { way = way, from = from, to = to, came = 0, groups = {} }
      pairs_of[name] = pair
    end
    return pair
  end

  local function add(pair, hop, lost, packets)
    local group = pair.groups[hop]
    if not group then
      group = {
        way = pair.way, from = pair.from, to = pair.to, hop = hop.index, packets = 0, needed = 0,
        again = 0, first_frame = lost.first_frame, last_frame = lost.last_frame,
      }
      pair.groups[hop] = group
    end
    group.packets = group.packets + packets
    group.needed, group.again = group.needed + lost.needed, group.again + lost.again
    group.first_frame = min(group.first_frame, lost.first_frame)
    group.last_frame = max(group.last_frame, lost.last_frame)
  end

  -- How many packets of another flow, as which a flow may show there, nobody saw before that observer.
  local function strangers(flow, name, observer)
    local other = name and flows[name]
    return other and other ~= flow and other.strangers[observer] or 0
  end

  -- Whether more packets of a flow came the other way: by clocks that are not sure, some seem to.
  local function is_minority(flow, way)
    for at = 1, #flow.ways do
      local other = flow.ways[at]
      if other.from == way.to and other.to == way.from and other.came >= way.came then
        return true
      end
    end
    return false
  end

  -- Counts what is missing on one way of a flow.
  local function count_way(flow, way)
    if is_minority(flow, way) then
      return
    end
    local pair = pair_named(way.way, way.from, way.to)
    pair.came = pair.came + way.came
    local strange = way.strange + strangers(flow, flow.whole, way.to) + strangers(flow, flow.translated, way.to)
    local is_told = not flow.is_cut and way.lost <= MOST_SHARE * way.came
    pair.at_least = pair.at_least or flow.has_doubtful or way.lost > 0 and (not is_told or strange > 0)
    if not is_told then
      return
    end
    local hops = {}
    for hop in pairs(way.missing) do
      hops[#hops + 1] = hop
    end
    sort(hops, by_index)
    for at = 1, #hops do
      local hop = hops[at]
      local lost = way.missing[hop]
      local known = min(strange, lost.packets)
      strange = strange - known
      if known < lost.packets and (way.exits[hop] or 0) >= LEAST_EXITS * way.came then
        add(pair, hop, lost, lost.packets - known)
      end
    end
  end

  local function count_all()
    for _, flow in pairs(flows) do
      for at = 1, #flow.ways do
        count_way(flow, flow.ways[at])
      end
    end
    flows, flow_count = {}, 0
  end

  -- Of the record of a packet, of joined captures: by how many observers it was seen (seen_by), and how, in the order
  -- of time: views, each with observer, hop (the last one), first and last (times); those behind are of older packets.
  local states = {}

  --- Notes a sighting of a packet.
  -- @param record of the packet, as `count` keeps it
  -- @param hop    with the observer that it is of
  function losses.see(record, hop, time)
    local state = states[record]
    if not state then
      return -- first seen where no observer is known
    end
    local views, count = state.views, state.seen_by
    for at = 1, count do
      local view = views[at]
      if view.observer == hop.observer then
        view.first = time and view.first and min(view.first, time) or view.first
        if not time or not view.last or time >= view.last then
          view.last, view.hop = time, hop
        end
        return
      end
    end
    count = count + 1
    local view = views[count] or {}
    view.observer, view.hop, view.first, view.last = hop.observer, hop, time or false, time or false
    state.seen_by = count
    while count > 1 and time and views[count - 1].first and views[count - 1].first > time do
      views[count] = views[count - 1]
      count = count - 1
    end
    views[count] = view
  end

  -- A packet came from one observer to the next: what has left the first one since the packet before is lost.
  local function arrive(flow, record, from, to)
    local way
    for at = 1, #flow.ways do
      local known = flow.ways[at]
      way = known.from == from.observer and known.to == to.observer and known or way
    end
    if not way then
      way = { way = is_all and "" or record.way, from = from.observer, to = to.observer, missing = {}, exits = {} }
      way.came, way.lost, way.strange = 0, 0, 0
      flow.ways[#flow.ways + 1] = way
    end
    local pending = flow.missing[from.observer]
    local is_known = pending and pending.to == to.observer
    if is_known then
      for hop, lost in pairs(pending.hops) do
        local known = way.missing[hop]
        if known then
          known.packets, known.last_frame = known.packets + lost.packets, lost.last_frame
          known.needed, known.again = known.needed + lost.needed, known.again + lost.again
        else
          way.missing[hop] = lost
        end
        way.lost = way.lost + lost.packets
      end
    end
    if is_known or way.came > 0 then
      way.strange = way.strange + (flow.strange[to.observer] or 0)
    end
    flow.missing[from.observer], flow.strange[to.observer] = nil, nil
    way.came = way.came + 1
    way.exits[from.hop] = (way.exits[from.hop] or 0) + 1
  end

  -- A packet was not seen again behind an observer.
  local function miss(flow, whole, record, state, view)
    local to = flow.following[view.observer] or whole.following[view.observer]
    if not to or state.length > LARGE and state.length > (flow.largest or 0) then
      return
    end
    for at = 1, state.seen_by do
      if state.views[at].observer == to then
        return -- by clocks that are not sure, it came there before it left here
      end
    end
    if state.is_doubtful then
      flow.has_doubtful = true
      return
    end
    local pending = flow.missing[view.observer]
    if not pending or pending.to ~= to then
      pending = { to = to, hops = {} }
      flow.missing[view.observer] = pending
    end
    local lost = pending.hops[view.hop]
    if not lost then
      lost = { packets = 0, needed = 0, again = 0, first_frame = record.packet }
      pending.hops[view.hop] = lost
    end
    lost.packets, lost.last_frame = lost.packets + 1, record.packet
    lost.needed = lost.needed + (state.is_needed and 1 or 0)
    lost.again = lost.again + (state.is_needed and state.was_again and 1 or 0)
  end

  --- Notes what the first sighting of a packet tells.
  -- @param ends of it, with name; nil: it is not understood
  -- @param said of it
  function losses.note(record, frame, ends, said)
    local state = states[record]
    if not frame.hop.observer then
      states[record] = nil
      return
    elseif not state then
      state = { views = {} }
      states[record] = state
    end
    state.flow_name, state.whole_name, state.translated, state.seen_by = nil, nil, nil, 0
    state.is_needed, state.was_again, state.is_cut, state.length = false, false, false, frame.length
    state.is_doubtful = said.verdict == REPEAT or said.rule == "ambiguous"
    local kind = byte(frame.key, 1)
    if not ends or kind ~= 4 and kind ~= 6 then
      return
    end
    state.flow_name = ends.name
    state.whole_name = concat({ ends.protocol, ends.source, ends.destination }, ">")
    if ends.protocol == "TCP" then
      state.is_needed = is_sent_until_it_arrives(frame)
    elseif ECHO[ends.protocol] then
      local ports = layout(frame.key).ports
      state.flow_name = ends.name .. sub(frame.key, ports, ports + 3)
      -- Errors are about other packets: a NAT may keep what passes for others.
      state.is_doubtful = state.is_doubtful or not ECHO[ends.protocol][byte(frame.key, ports + 4)]
    end
  end

  --- Notes what was said of a sighting.
  -- @param translated the name of the ends that a NAT gave the packet here, or nil
  -- @param before     the record in whose place that of the packet was which carried this before, or nil
  function losses.learn(record, said, translated, before)
    local state = states[record]
    if not state then
      return
    end
    state.translated = translated or state.translated
    state.is_cut = state.is_cut or IS_CUT[said.verdict] or false
    if before and before.packet == said.repeat_of and states[before] then
      states[before].was_again = true
    end
  end

  --- Takes a packet of which no more sightings are expected, in the order of their numbers.
  -- @param record of it, as `count` keeps it
  -- @param is_dropped whether a drop tells of it
  function losses.settle(record, is_dropped)
    local state = states[record]
    local views, count = state and state.views, state and state.seen_by
    if not state or count == 0 or not state.flow_name or record.is_to_group then
      return
    end
    if flow_count >= limits.followed then
      count_all()
    end
    local flow, whole = flow_named(state.flow_name), flow_named(state.whole_name)
    flow.whole, flow.translated = state.whole_name, state.translated or flow.translated
    flow.is_cut = flow.is_cut or state.is_cut
    for at = 2, count do
      local from, to = views[at - 1], views[at]
      arrive(flow, record, from, to)
      flow.following[from.observer], whole.following[from.observer] = to.observer, to.observer
      flow.largest = max(flow.largest or 0, state.length)
    end
    local first = views[1].observer
    flow.strange[first] = (flow.strange[first] or 0) + 1
    flow.strangers[first] = (flow.strangers[first] or 0) + 1
    if not is_dropped then
      miss(flow, whole, record, state, views[count])
    end
  end

  --- Notes how many packets an interface's capture has missed so far, as it says itself.
  function losses.note_missed(name, count)
    if missed[name] then
      missed[name] = max(missed[name], count)
    elseif missed_count < limits.missed then
      missed[name], missed_count = count, missed_count + 1
    end
  end

  local function missed_by(observer)
    local sum, start = 0, observer .. ": "
    for name, count in pairs(missed) do
      sum = sum + (sub(name, 1, #start) == start and count or 0)
    end
    return sum
  end

  --- All of them: of each observer, next observer and hop where they were seen last, how many packets are missing.
  -- @return list of groups: needed: those that TCP sends until they arrive,
  --   again: those that it has sent again; at_least: more may be; came: packets of these flows that came;
  --   missed: packets that the next observer's capture says that it missed
  function losses.finish()
    count_all()
    local found, ways = { is_list = true }, {}
    for _, pair in pairs(pairs_of) do
      ways[pair.from .. "\n" .. pair.to] = pair.came > 0 or nil
    end
    for _, pair in pairs(pairs_of) do
      for _, group in pairs(pair.groups) do
        -- From packets that all go one way, no clock can tell which.
        if ways[pair.to .. "\n" .. pair.from] then
          group.came, group.at_least = pair.came, pair.at_least or false
          group.missed = missed_by(pair.to)
          found[#found + 1] = group
        end
      end
    end
    sort(found, is_before)
    for at = #found, limits.losses + 1, -1 do
      found[at] = nil
    end
    return found
  end

  return losses
end

return M
