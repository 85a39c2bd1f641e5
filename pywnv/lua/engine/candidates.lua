--- Finds the packets that a frame may show: those with the same bytes that are still remembered.

local frame_of, identity, link, order, path, routes, limits = ...

local abs, byte, max, min = math.abs, string.byte, math.max, math.min
local ttl_of = frame_of.ttl

local M = {}

--- How often a packet was seen at a place.
local function seen(packet, place)
  local places, count = packet.places, 0
  for at = 1, packet.node.depth do
    if places[at] == place then
      count = count + 1
    end
  end
  return count
end
M.seen = seen

--- Where a hop showed a packet first.
function M.first_place(packet, hop)
  for at = 1, packet.node.depth do
    if packet.places[at].hop == hop then
      return packet.places[at]
    end
  end
  return nil
end

--- Whether a hop is known to show packets of a packet's class once: mostly, and for sure; the route that says so.
function M.is_known_once(packet, hop)
  local place = M.first_place(packet, hop)
  local route = routes.usual(packet.flow.class, hop, place)
  if
    not route
    or route.length > 1
    or route.hits < limits.once
    or routes.has_changed(place.at_hop, packet.node, route)
  then
    return false, false, nil
  end
  local is_sure = route.hits >= limits.hop_once and route.hits >= limits.once_share * route.misses
  return true, is_sure and not routes.is_doubted(route), route
end

--- Whether a hop is known to show packets of a packet's class several times.
function M.is_known_more(packet, hop)
  local route = routes.usual(packet.flow.class, hop, M.first_place(packet, hop))
  return route ~= nil and route.length > 1
end

--- Whether a frame is, byte for byte, what this hop has shown of a packet.
function M.is_like(packet, frame)
  return frame.header == packet.first_header and frame.mutable == packet.mutable
end

--- Whether a hop seems to show all packets once, so that one of which nothing else is known may well be another.
function M.seems_once(packet, place)
  local at_hop = place.at_hop
  return at_hop.once >= limits.hop_once
    and at_hop.once >= limits.hop_once_share * at_hop.more
    and not routes.has_changed(at_hop, packet.node, nil)
end

--- Whether a place has shown a packet so often that only a flood tells why: unless its sender is known to give each
-- packet an identity of its own, or the place to show packets so often.
function M.is_flood(packet, frame)
  local place = frame.place
  local count, flow = seen(packet, place), packet.flow
  if ttl_of(packet) - ttl_of(frame) >= 2 then
    return false -- it goes in a circle
  end
  if packet.ident > 0 and flow.sender.is_changing or flow.number - flow.repeats >= limits.varying then
    return count >= limits.flood_of_changing and count >= 2 * place.at_hop.most
  end
  return count >= limits.flood and count >= place.at_hop.most
end

--- Whether a frame without IP ID goes to a group in another VLAN than a packet did: a router or host that is at home in
-- several sends one into each.
function M.is_other_vlan(packet, frame)
  if frame.ident > 0 or frame.link ~= "ethernet" or packet.link ~= "ethernet" or byte(frame.header, 1) % 2 == 0 then
    return false
  end
  local tags, earlier = link.tags(frame.header), link.tags(packet.header)
  return tags ~= earlier and #tags == #earlier
end

--- The candidates of one capture.
-- @param store   the packets
-- @param differs function: whether a rule says that a packet and a frame are two
-- @param all     what is known of the order of packets of all senders: see `order`
-- @return table: look, here; the fields that `look` fills
function M.new(store, differs, all)
  local look = { list = {} }
  local candidates = { look = look }

  -- Whether a frame was seen behind a packet's first sighting. What two observers saw may be the other way round: their
  -- clocks are set alike no better than by the time that packets take between them.
  local function is_later(packet, frame)
    local ahead, first = frame.time - packet.first_time, packet.places[1]
    if ahead <= 0 or first.hop.observer == frame.hop.observer then
      return ahead > 0
    end
    local _, longest = order.longest(all, frame.place, 0, first, 1)
    return ahead > (longest or 0)
  end

  -- Whether what is known of the order of packets speaks against a packet that was not seen at this hop.
  local function is_lost(packet, frame, is_alone)
    local flow, place = packet.flow, frame.place
    if not is_alone and path.ends_before(flow.class, packet.node, frame.hop) then
      return true
    end
    if order.begins_at(flow.sender, frame.hop) and is_later(packet, frame) then
      return true
    end
    local last, time = packet.places[packet.node.depth], packet.last_time
    return last.hop ~= frame.hop
      and (
        order.is_overtaken(flow, last, time, place, frame.time)
        or order.is_overtaken(all, last, time, place, frame.time)
          and order.is_kept(all, last, time, place, frame.time)
      )
  end

  -- Whether a frame may show a packet of a queue that its hop has not shown.
  local function may_show(packet, frame)
    return packet and not packet.node.counts[frame.hop] and not differs(packet, frame)
  end

  -- How long a packet took from where it was seen last, and how long others took at most: see `order.longest`.
  local function time_of(packet, frame)
    local last, time = packet.places[packet.node.depth], packet.last_time
    return abs(frame.time - time), order.longest(all, last, time, frame.place, frame.time)
  end

  -- Of the packets of a queue from one on, the only one that comes to a hop as soon as others did.
  local function usual_one(queue, index, frame)
    local usual, usual_index = nil, nil
    for try = index, min(queue.last, index + limits.tries - 1) do
      local packet = store.get(queue[try])
      if may_show(packet, frame) and not is_lost(packet, frame) then
        local took, _, known = time_of(packet, frame)
        if known and took <= limits.usual_gap * known then
          if usual then
            return nil
          end
          usual, usual_index = packet, try
        end
      end
    end
    return usual, usual_index
  end

  -- The only packet of a queue from one on that may come to a hop so late, for then the count is right again; else the
  -- only one that comes as soon as others did.
  local function only_in_time(queue, index, frame)
    local found, found_index, is_only = nil, nil, true
    for try = index, min(queue.last, index + limits.tries - 1) do
      local packet = store.get(queue[try])
      if may_show(packet, frame) and not is_lost(packet, frame) then
        local took, longest = time_of(packet, frame)
        if took <= longest then
          is_only = not found
          found, found_index = packet, try
        end
      end
    end
    if found and is_only then
      look.slips = false
      return found, found_index
    end
    local usual, usual_index = usual_one(queue, index, frame)
    if usual then
      return usual, usual_index
    end
    look.is_ambiguous = found ~= nil
    return found, found_index
  end

  -- The first packet of a queue that this hop has not shown. One that should have come long ago stands back, and so
  -- does one that took much longer than any, if another is just in time: else, a packet that was lost on the way would
  -- shift all that follow.
  local function elsewhere(queue, frame)
    local hop = frame.hop
    local index = max(queue.first, (queue.taken[hop] or 0) + 1)
    local first, first_index = nil, nil
    for try = index, min(queue.last, index + limits.tries - 1) do
      local packet = store.get(queue[try])
      if may_show(packet, frame) then
        local strength = identity.of_pair(packet, frame)
        if strength == identity.PROOF then
          return packet, try
        elseif packet.maybe_from ~= hop and not is_lost(packet, frame) then
          local took, longest, known = time_of(packet, frame)
          if queue.slipped and queue.slipped[hop] then
            return only_in_time(queue, try, frame)
          end
          local usual, usual_index = nil, nil
          if known and took > limits.longest_gap * known then
            usual, usual_index = usual_one(queue, try + 1, frame)
          end
          if usual then
            look.slips = true
            return usual, usual_index
          elseif known or strength == identity.WEAK or path.may_go_on(packet.flow.class, packet.node, hop) then
            if took <= longest then
              look.slips = first and true
              return packet, try
            elseif not known then
              return first or packet, first_index or try
            end
          end
          first, first_index = first or packet, first_index or try
        end
      end
    end
    return first, first_index
  end

  local function here(queue, frame)
    local hop = frame.hop
    for try = queue.last, max(queue.first, queue.last - limits.tries + 1), -1 do
      local packet = store.get(queue[try])
      if packet and packet.node.counts[hop] and not differs(packet, frame) then
        return packet
      end
    end
    return nil
  end

  --- Looks up what a frame may show.
  -- @param entry what the store knows by its key
  -- @return table, until the next call: entry; elsewhere (the first packet that its hop has not shown), index (where
  --   that stands in a queue); here (the latest packet that its hop has shown); is_ambiguous (set by rules that cannot
  --   tell); slips (true: a packet before it was lost, so that the count of equal ones is no longer sure; false: it is
  --   sure again); doubted (set by a rule: the route that this frame speaks against); is_crowd (set by a rule:
  --   whether equal packets are on their way at once; nil: so often that there is no mark)
  function candidates.find(entry, frame)
    look.entry, look.elsewhere, look.here, look.index = entry, nil, nil, nil
    look.is_ambiguous, look.slips, look.doubted, look.refused, look.probe = false, nil, nil, nil, nil
    look.is_crowd = false
    if not entry then
      return look
    elseif type(entry) == "number" then
      local packet = store.get(entry)
      if packet and not differs(packet, frame) then
        if packet.node.counts[frame.hop] then
          look.here = packet
        elseif identity.of_pair(packet, frame) > identity.WEAK or not is_lost(packet, frame, true) then
          look.elsewhere = packet
        end
      end
      return look
    end
    look.elsewhere, look.index = elsewhere(entry, frame)
    look.here = here(entry, frame)
    return look
  end

  --- The packets that a frame's hop has shown, into look.list; how many.
  function candidates.all_here(frame)
    local entry, list, count = look.entry, look.list, 0
    if type(entry) == "number" then
      list[1] = look.here
      return look.here and 1 or 0
    end
    for try = max(entry.first, entry.last - limits.tries + 1), entry.last do
      local packet = store.get(entry[try])
      if packet and packet.node.counts[frame.hop] and not differs(packet, frame) then
        count = count + 1
        list[count] = packet
      end
    end
    return count
  end

  return candidates
end

return M
