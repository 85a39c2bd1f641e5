--- Which way a packet goes through the host: out of it, into it, or from one of its NICs to another.
--
-- Three things tell: what the capture tool noted, the order of hops, and whose MACs these are. A MAC is known by the
-- topology; by a packet that was seen to pass from the inside to the outside, or back; or by where its first packet was
-- first seen, which counts only in a capture that is in order of time and has shown both sides.

local codes = ...

local byte, sub = string.byte, string.sub

local role = codes.role
local OUTBOUND, INBOUND, INTERNAL = codes.direction.outbound, codes.direction.inbound, codes.direction.internal
local NONE = 0 -- a node of a path that does not say

local INNER, OUTER = 1, 2
local SIDE_OF_ROLE = {
  [role.vmNIC] = INNER,
  [role["host vNIC"]] = INNER,
  [role.pNIC] = OUTER,
  [role.tNIC] = OUTER,
}

local LOCAL, REMOTE, UNSURE = 1, 2, 3 -- LOCAL and REMOTE: a packet that crossed has shown it
local SEEN = 10 -- added to LOCAL and REMOTE: only by where it was first seen

-- What etl2pcapng and etwdump write as direction.
local DIRECTION_OF_FLAGS = { INBOUND, OUTBOUND }

local MOST_MACS = 4096 -- only a capture made to defeat us shows more at once

local M = {}

--- On which side of the host a place is: 1 inside, 2 outside; nil if that is not known.
-- A vmSwitch's port is named for the source of what is seen there: what comes from External comes from outside.
function M.side(place)
  return SIDE_OF_ROLE[place.role] or place.nic_type == "External" and OUTER or nil
end

--- Whether a place leads out of the host.
function M.is_outer(place)
  return M.side(place) == OUTER
end

--- Whether a place is the NIC of a machine in the host, or one of the host's own.
function M.is_inner(place)
  return M.side(place) == INNER
end

--- The direction that a tool noted, where it can be believed: that of a NIC in a trace of netsh or NetEvent. In one of
-- pktmon, all packets have the same; at a vmSwitch's port it is the way through the switch, not through the host.
-- In a file of `pywnv convert` it is right; at a NIC that leads out of the host it is the direction through the host.
-- @param flags 1 or 2, of epb_flags
function M.noted(place, read, flags, tag)
  if place.component_id then
    return (M.is_outer(place) or place.driver == "netvsc.sys") and DIRECTION_OF_FLAGS[flags] or nil
  elseif place.nic_type or place.driver or read and read.nic_type then
    return nil
  elseif read and read.pid or place.ifindex and not tag then
    return DIRECTION_OF_FLAGS[flags]
  end
  return nil
end

-- What the hops of a path tell, of one observer. One that comes back to the side where it began tells nothing.
local function order(node)
  local sides, last, observer = {}, nil, node.hop.observer
  while node do
    local side = node.hop.observer == observer and M.side(node.hop)
    if side and side ~= last then
      sides[#sides + 1], last = side, side
    end
    node = node.parent
  end
  if #sides ~= 2 then
    return NONE
  end
  return sides[2] == INNER and OUTBOUND or INBOUND
end

local function root(node)
  while node.parent do
    node = node.parent
  end
  return node
end

--- The directions of one capture.
-- @param owner function: whether an address of six bytes is one of the host's, by the topology
-- @return table: decide, commit
function M.new(owner)
  local known, count = {}, 0
  local latest, is_disordered = nil, false
  local has = { false, false } -- by side: whether a frame was seen there
  local step = {} -- what `decide` leaves for `commit`
  local ways = {}

  local function set(mac, state)
    local before = known[mac]
    if before == state then
      return
    end
    if count >= MOST_MACS then
      known, count, before = {}, 0, nil
    end
    count = before and count or count + 1
    known[mac] = state
  end

  -- The direction that the order of hops tells, unless the times contradict it.
  local function by_order(node, elapsed, disordered)
    local way = node.way
    if not way then
      way = order(node)
      node.way = way
    end
    if way == NONE then
      return nil
    elseif not disordered then
      return way
    end
    -- The file is not in order of time: only the first and this sighting can be compared.
    local first, this = M.side(root(node).hop), M.side(node.hop)
    if not first or not this or first == this or elapsed == 0 or root(node).hop.observer ~= node.hop.observer then
      return nil
    elseif elapsed > 0 then
      return way
    end
    return way == OUTBOUND and INBOUND or OUTBOUND
  end

  -- What a packet that has crossed the host tells of whose MACs these are.
  local function after_crossing(way, node, source, target)
    local at_source, at_target, side = known[source], known[target], M.side(node.hop)
    if way == OUTBOUND and side == OUTER then
      if at_source ~= REMOTE and M.side(node.parent.hop) ~= OUTER then -- else it may come back, from another MAC
        at_source = LOCAL
      end
      if at_target == LOCAL or at_target == SEEN + LOCAL then
        at_target = UNSURE -- it has left the host, with the machine that it belongs to
      end
    elseif way == INBOUND and side == INNER then
      if byte(target) % 2 == 0 and at_target ~= REMOTE and at_target ~= SEEN + REMOTE then
        at_target = LOCAL
      end
      if at_source == SEEN + REMOTE then -- a router inside the host may have put another one in
        at_source = REMOTE
      end
    end
    return at_source, at_target
  end

  -- What the first sighting of a packet tells.
  local function after_first(side, source, disordered)
    local at_source = known[source]
    if at_source and at_source % SEEN == REMOTE and side == INNER and not disordered then
      return UNSURE -- a machine has moved to this host
    elseif at_source then
      return at_source
    elseif not side then
      return UNSURE
    elseif (has[INNER] or side == INNER) and (has[OUTER] or side == OUTER) and not disordered then
      return SEEN + (side == INNER and LOCAL or REMOTE)
    end
    return nil
  end

  -- @return the direction, or nil; whether the topology tells it
  local function by_macs(source, target, at_source, at_target)
    if byte(target) % 2 == 1 then
      return nil -- to several at once
    end
    local has_source, has_target = owner(source), owner(target)
    local from, to = has_source and LOCAL or at_source, has_target and LOCAL or at_target
    from, to = from and from % SEEN, to and to % SEEN
    if from == LOCAL and to == LOCAL then
      return INTERNAL, has_source and has_target
    elseif from == LOCAL and to == REMOTE then
      return OUTBOUND
    elseif from == REMOTE and to == LOCAL then
      return INBOUND
    end
    return nil
  end

  --- Says which way a frame goes that the grouping has decided.
  -- @param time    of the frame, or nil
  -- @param node    of its path
  -- @param elapsed since the first sighting of its packet; nil for a first one
  -- @param noted   the direction that the capture tool noted, or nil
  -- @param macs    string: the first twelve bytes of an Ethernet header, or nil
  -- @param is_whole whether all packets so far were given to this function
  -- @return a code of `direction`, or nil if unknown
  function ways.decide(time, node, elapsed, noted, macs, is_whole)
    step.time, step.macs, step.side = time, macs, nil
    if not time then
      return noted
    end
    local side = M.side(node.hop)
    local disordered = is_disordered or latest ~= nil and time < latest
    local way = elapsed and by_order(node, elapsed, disordered)
    local by_mac, is_told
    step.side = side
    if macs then
      local target, source = sub(macs, 1, 6), sub(macs, 7, 12)
      local at_source, at_target = known[source], known[target]
      if way then
        at_source, at_target = after_crossing(way, node, source, target)
      elseif not elapsed and is_whole then
        at_source = after_first(side, source, disordered)
      end
      step.at_source, step.at_target = at_source, at_target
      by_mac, is_told = by_macs(source, target, at_source, at_target)
    end
    if by_mac == INTERNAL and (is_told or not way) then
      return by_mac
    end
    return noted or way or by_mac
  end

  --- Notes the frame that was decided last.
  function ways.commit()
    local time, macs = step.time, step.macs
    if not time then
      return
    elseif latest and time < latest then
      is_disordered = true
    else
      latest = time
    end
    if step.side then
      has[step.side] = true
    end
    if macs then
      if step.at_source then
        set(sub(macs, 7, 12), step.at_source)
      end
      if step.at_target then
        set(sub(macs, 1, 6), step.at_target)
      end
    end
  end

  return ways
end

return M
