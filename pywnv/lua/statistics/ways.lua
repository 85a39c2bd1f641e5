--- The ways of packets from one observer of a joined capture to the next, flow by flow, and what is missing on them.
--
-- A packet counts as missing only if it must have come: both observers saw a packet before it (of its flow, or of
-- another flow of this protocol between these addresses) and a packet of its flow after it. So both captured at that
-- time, and that path was in use. The clocks must only say which observer comes first; they do if packets went both
-- ways, whether these were selected or not. Frames that were cut or joined are other packets there: these never count.
-- If the next observer shows packets of the flow that the one before does not, these may be the missing ones.

local limits = ...

local concat, max, min, sort = table.concat, math.max, math.min, table.sort
local sub = string.sub

local LARGE = 1600 -- bytes: what is larger may be cut on the way
local MOST_SHARE = 0.5 -- lost of those that came: where more are missing, others may go another way
local LEAST_EXITS = 0.1 -- of the packets that came left by a hop that is a way out: others were lost before that
local ROUTED = 0.5 -- of the packets that came have a lower TTL there: a router sent them on, which tells the order

local M = {}

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

local function no_packets(first_frame)
  return { packets = 0, others = 0, needed = 0, again = 0, first_frame = first_frame, last_frame = first_frame }
end

-- Counts what one table has counted in another; `others` are packets that were not selected.
local function sum(into, from)
  into.packets, into.others = into.packets + from.packets, into.others + from.others
  into.needed, into.again = into.needed + from.needed, into.again + from.again
  into.first_frame = min(into.first_frame, from.first_frame)
  into.last_frame = max(into.last_frame, from.last_frame)
end

-- Counts a packet that is not where it should be.
local function count_missing(into, state)
  if not state.way then
    into.others = into.others + 1
    return
  end
  into.packets = into.packets + 1
  if into.packets == 1 then
    into.first_frame = state.packet
  end
  into.last_frame = state.packet
  into.needed = into.needed + (state.is_needed and 1 or 0)
  into.again = into.again + (state.is_needed and state.was_again and 1 or 0)
end

--- The ways in one capture.
-- @return table: settle, note_missed, finish
function M.new()
  local flows, flow_count = {}, 0 -- by protocol, addresses and ports, and by protocol and addresses
  local pairs_of = {} -- of selected packets
  -- Of all packets, by from and to: how many came, how many of them with a lower TTL, whether others of a flow seem to
  -- have come the other way.
  local orders = {}
  -- By the name of an interface, how many packets its capture says that it missed, all in all.
  local missed, missed_count = {}, 0
  local ways = {}

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
      pair = { way = way, from = from, to = to, came = 0, groups = {}, strange_groups = {} }
      pairs_of[name] = pair
    end
    return pair
  end

  local function add(groups, hop, lost, packets)
    local group = groups[hop]
    if not group then
      group = no_packets(lost.first_frame)
      groups[hop] = group
    end
    sum(group, lost)
    group.packets = group.packets - lost.packets + packets
  end

  -- How many packets of another flow, as which a flow may show there, nobody saw before that observer.
  local function strangers(flow, name, observer)
    local other = name and flows[name]
    return other and other ~= flow and other.strangers[observer] or 0
  end

  -- How many packets of a flow came the other way: by clocks that are not sure, some seem to.
  local function back(flow, way)
    for at = 1, #flow.ways do
      local other = flow.ways[at]
      if other.from == way.to and other.to == way.from then
        return other.came
      end
    end
    return 0
  end

  local function note_order(way, is_doubtful)
    local name = way.from .. "\n" .. way.to
    local order = orders[name] or { came = 0, routed = 0, is_doubtful = false }
    orders[name] = order
    order.came, order.routed = order.came + way.came, order.routed + way.routed
    order.is_doubtful = order.is_doubtful or is_doubtful
  end

  -- Counts what is missing on one way of a flow.
  local function count_way(flow, way)
    local came_back = back(flow, way)
    if came_back >= way.came then
      return
    end
    note_order(way, came_back > 0)
    if not way.way then
      return -- no packet of it was selected
    end
    local pair = pair_named(way.way, way.from, way.to)
    pair.came = pair.came + way.chosen
    local strange = way.strange + strangers(flow, flow.whole, way.to) + strangers(flow, flow.translated, way.to)
    local is_told = not flow.is_cut and way.lost <= MOST_SHARE * way.came
    pair.at_least = pair.at_least or flow.has_doubtful or way.lost > 0 and (not is_told or strange > 0)
    if not is_told then
      return
    end
    local may_tell = way.strangest and not flow.has_doubtful -- else what is strange may be what is missing here
    if may_tell and way.lost < way.strange and way.strange <= MOST_SHARE * way.came then
      add(pair.strange_groups, way.strange_hop, way.strangest, min(way.strangest.packets, way.strange - way.lost))
    end
    local hops = {}
    for hop in pairs(way.missing) do
      hops[#hops + 1] = hop
    end
    sort(hops, by_index)
    for at = 1, #hops do
      local hop = hops[at]
      local lost = way.missing[hop]
      local known = min(strange, lost.packets + lost.others)
      strange = strange - known
      if known < lost.packets and (way.exits[hop] or 0) >= LEAST_EXITS * way.came then
        add(pair.groups, hop, lost, lost.packets - known)
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

  local function way_between(flow, from, to)
    for at = 1, #flow.ways do
      local way = flow.ways[at]
      if way.from == from and way.to == to then
        return way
      end
    end
    local way = { way = false, from = from, to = to, missing = {}, exits = {} }
    way.came, way.chosen, way.routed, way.lost, way.strange = 0, 0, 0, 0, 0
    flow.ways[#flow.ways + 1] = way
    return way
  end

  -- A packet came from one observer to the next: what has left the first one since the packet before is lost.
  local function arrive(flow, state, from, to)
    local way = way_between(flow, from.observer, to.observer)
    local pending, strange = flow.missing[from.observer], flow.strange[to.observer]
    local is_known = pending and pending.to == to.observer
    if is_known then
      for hop, lost in pairs(pending.hops) do
        if way.missing[hop] then
          sum(way.missing[hop], lost)
        else
          way.missing[hop] = lost
        end
        way.lost = way.lost + lost.packets + lost.others
      end
    end
    if strange and (is_known or way.came > 0) then
      way.strange = way.strange + strange.packets + strange.others
      if way.strangest then
        sum(way.strangest, strange)
      else
        way.strangest, way.strange_hop = strange, strange.hop
      end
    end
    flow.missing[from.observer], flow.strange[to.observer] = nil, nil
    way.way = way.way or state.way
    way.came, way.chosen = way.came + 1, way.chosen + (state.way and 1 or 0)
    way.routed = way.routed + (from.ttl and to.ttl and to.ttl < from.ttl and 1 or 0)
    way.exits[from.hop] = (way.exits[from.hop] or 0) + 1
  end

  -- A packet was not seen again behind an observer.
  local function miss(flow, whole, state, view)
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
      lost = no_packets(state.packet)
      pending.hops[view.hop] = lost
    end
    count_missing(lost, state)
  end

  --- Takes a packet of which no more sightings are expected, in the order of their numbers.
  -- @param state of it, as losses.lua keeps it, of a flow
  function ways.settle(state)
    if flow_count >= limits.followed then
      count_all()
    end
    local views, count = state.views, state.seen_by
    local flow, whole = flow_named(state.flow_name), flow_named(state.whole_name)
    flow.whole, flow.translated = state.whole_name, state.translated or flow.translated
    flow.is_cut = flow.is_cut or state.is_cut
    for at = 2, count do
      local from, to = views[at - 1], views[at]
      arrive(flow, state, from, to)
      flow.following[from.observer], whole.following[from.observer] = to.observer, to.observer
      flow.largest = max(flow.largest or 0, state.length)
    end
    local first = views[1]
    local strange = flow.strange[first.observer]
    if not strange then
      strange = no_packets(state.packet)
      strange.hop = first.hop
      flow.strange[first.observer] = strange
    end
    if state.is_doubtful or count > 1 then
      strange.others = strange.others + 1
    else
      count_missing(strange, state)
    end
    flow.strangers[first.observer] = (flow.strangers[first.observer] or 0) + 1
    if not state.is_dropped then
      miss(flow, whole, state, views[count])
    end
  end

  --- Notes how many packets an interface's capture has missed so far, as it says itself.
  function ways.note_missed(name, count)
    if missed[name] then
      missed[name] = max(missed[name], count)
    elseif missed_count < limits.missed then
      missed[name], missed_count = count, missed_count + 1
    end
  end

  local function missed_by(observer)
    local number, start = 0, observer .. ": "
    for name, count in pairs(missed) do
      number = number + (sub(name, 1, #start) == start and count or 0)
    end
    return number
  end

  local function list(found, pair, groups, from, to, is_ordered)
    for hop, group in pairs(groups) do
      group.way, group.from, group.to, group.hop = pair.way, from, to, hop.index
      group.came, group.at_least = pair.came, pair.at_least or false
      group.missed, group.is_ordered = missed_by(to), is_ordered
      found[#found + 1] = group
    end
  end

  --- All that is missing: of each observer, next observer and hop where it was seen last, how many packets.
  -- @return list of groups: needed: those that TCP sends until they arrive,
  --   again: those that it has sent again; at_least: more may be; came: packets of these flows that came;
  --   missed: packets that the next observer's capture says that it missed;
  --   is_ordered: false: from packets that all go one way, no clock can tell which
  function ways.finish()
    count_all()
    local found = { is_list = true }
    for _, pair in pairs(pairs_of) do
      local order, opposite = orders[pair.from .. "\n" .. pair.to], orders[pair.to .. "\n" .. pair.from]
      if opposite or order.routed > ROUTED * order.came then
        list(found, pair, pair.groups, pair.from, pair.to, true)
      elseif not order.is_doubtful then
        list(found, pair, pair.groups, pair.from, pair.to, false)
        list(found, pair, pair.strange_groups, pair.to, pair.from, false)
      end
    end
    sort(found, is_before)
    for at = #found, limits.losses + 1, -1 do
      found[at] = nil
    end
    return found
  end

  return ways
end

return M
