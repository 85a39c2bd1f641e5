--- Finds the packets that a frame may show: those with the same bytes that are still remembered.

local identity, queue, routes, limits = ...

local byte, max = string.byte, math.max

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
  return frame.header == packet.first_header and frame.mutable == packet.first_mutable
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
  if packet.ttl - frame.ttl >= 2 then
    return false -- it goes in a circle
  end
  if packet.ident > 0 and flow.sender.is_changing or flow.number - flow.repeats >= limits.varying then
    return count >= limits.flood_of_changing and count >= 2 * place.at_hop.most
  end
  return count >= limits.flood and count >= place.at_hop.most
end

--- Whether a frame without IP ID goes to a group in another VLAN than a packet did: a router or host that is at home in
-- several sends one into each.
function M.is_to_other_vlan(packet, frame)
  if frame.ident > 0 or frame.link ~= "ethernet" or byte(frame.header, 1) % 2 == 0 then
    return false
  end
  local vlans, places = frame.place.vlans, packet.places
  for at = 1, packet.node.depth do
    local place = places[at]
    if place.hop == frame.hop and place.vlans ~= vlans and #place.vlans == #vlans then
      return true
    end
  end
  return false
end

--- The candidates of one capture.
-- @param store   the packets
-- @param differs function: whether a rule says that a packet and a frame are two
-- @param all     what is known of the order of packets of all senders: see `order`
-- @param networks what is known of virtual networks and VLANs: see `networks`
-- @return table: find, all_here, take, doubt; look, which `find` fills
function M.new(store, differs, all, networks)
  local look = { list = {} }
  local candidates = { look = look }

  local queues = queue.new(store, differs, all, look, networks)

  --- Looks up what a frame may show.
  -- @param entry what the store knows by its key
  -- @return table, until the next call:
  --   entry
  --   elsewhere: the first packet that the frame's hop has not shown; index: where it stands in a queue
  --   here: the latest packet that the hop has shown
  --   is_alone: whether the frame can show only one known packet
  --   is_begin: whether packets that pass here begin here
  --   is_left_out: whether a packet was seen elsewhere, and only its order or an earlier doubt speaks against it
  --   slips: true: a packet was lost, so the order of those before this frame tells nothing; false: it tells again
  --   late: where a packet stands that comes as if those before it were lost
  --   at_once: where the last of several packets that wait stands, if it came just before this frame; waited: seconds
  --     that the one before it would have waited
  --   and, as rules set them:
  --   is_ambiguous: whether no rule can tell what the frame shows
  --   doubted: the route that this frame speaks against
  --   is_crowd: whether equal packets are on their way at once; nil: so often that there is no mark
  --   is_back: whether the packet was here before it went on, and it is not known how often this hop shows packets
  function candidates.find(entry, frame)
    look.entry, look.elsewhere, look.here, look.index = entry, nil, nil, nil
    look.is_ambiguous, look.slips, look.doubted, look.refused, look.probe = false, nil, nil, nil, nil
    look.is_alone, look.late, look.at_once, look.is_begin = true, nil, nil, false
    look.is_crowd, look.is_left_out, look.is_back = false, false, false
    if not entry then
      return look
    elseif type(entry) == "number" then
      local packet = store.get(entry)
      if packet and not differs(packet, frame) then
        if packet.node.counts[frame.hop] then
          look.here = packet
        elseif identity.of_pair(packet, frame) > identity.WEAK or not queues.is_lost(packet, frame, true) then
          look.elsewhere = packet
        else
          look.is_left_out = true
        end
      end
      return look
    end
    look.elsewhere, look.index = queues.elsewhere(entry, frame)
    look.here = queues.here(entry, frame)
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

  -- Notes that a frame shows a packet of a queue; or that nothing tells which.
  candidates.take, candidates.doubt = queues.take, queues.doubt

  return candidates
end

return M
