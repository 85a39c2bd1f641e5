--- Which way a packet goes through the host: out of it, into it, or from one of its NICs to another.
--
-- Three things tell: what the capture tool noted, the order of hops, and whose MACs these are. A MAC is known by the
-- topology; by a packet that was seen to pass from the inside to the outside, or back; or by where its first packet was
-- first seen, which counts only in a capture that is in order of time and has shown both sides.

local codes = ...

local byte, sub = string.byte, string.sub

local role = codes.role
local OUTBOUND, INBOUND, INTERNAL = codes.direction.outbound, codes.direction.inbound, codes.direction.internal
local NONE = 0 -- a node of a path that does not tell

local INNER, OUTER = 1, 2
local SIDE_OF_ROLE = {
  [role.vmNIC] = INNER,
  [role["host vNIC"]] = INNER,
  [role.pNIC] = OUTER,
  [role.tNIC] = OUTER,
}

local LOCAL, REMOTE, UNSURE = 1, 2, 3 -- LOCAL and REMOTE: a packet that crossed has shown it
local SEEN = 10 -- added to LOCAL and REMOTE: only by where it was first seen

local MOST_MACS = 4096 -- only a capture made to defeat us shows more at once

local M = {}

--- On which side of the host a place is: 1 inside, 2 outside; nil where that is not known.
-- A vmSwitch's port is named for the source of what is seen there: what comes from External comes from outside.
function M.side(place)
  return SIDE_OF_ROLE[place.role] or place.nic_type == "External" and OUTER or nil
end

--- Whether a place leads out of the host.
function M.is_outer(place)
  return M.side(place) == OUTER
end

-- What the hops of a path tell. One that comes back to the side where it began tells nothing.
local function order(node)
  local sides, last = {}, nil
  while node do
    local side = M.side(node.hop)
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
-- @return table: step, undo
function M.new(owner)
  local known, count = {}, 0
  local latest, is_disordered = nil, false
  local has = { false, false } -- by side: whether a frame was seen there
  local undo_latest, undo_disordered, undo_side
  local undo_macs, undo_states, undo_count = {}, {}, 0
  local ways = {}

  local function set(mac, state)
    local before = known[mac]
    if before == state then
      return
    end
    if count >= MOST_MACS then
      known, count, undo_count = {}, 0, 0 -- what is forgotten stays forgotten
      before = nil
    end
    undo_count = undo_count + 1
    undo_macs[undo_count], undo_states[undo_count] = mac, before or false
    count = before and count or count + 1
    known[mac] = state
  end

  local function whose(mac)
    return owner(mac) and LOCAL or known[mac]
  end

  local function note_time(time)
    if latest and time < latest then
      is_disordered = true
    else
      latest = time
    end
  end

  -- The direction that the order of hops tells, unless the times contradict it.
  local function by_order(node, elapsed)
    local way = node.way
    if not way then
      way = order(node)
      node.way = way
    end
    if way == NONE then
      return nil
    elseif not is_disordered then
      return way
    end
    -- The file is not in order of time: only the first and this sighting can be compared.
    local first, this = M.side(root(node).hop), M.side(node.hop)
    if not first or not this or first == this or elapsed == 0 then
      return nil
    elseif elapsed > 0 then
      return way
    end
    return way == OUTBOUND and INBOUND or OUTBOUND
  end

  -- Learns whose MACs these are from a packet that has crossed the host.
  local function learn_crossing(way, side, source, target)
    if way == OUTBOUND and side == OUTER and known[source] ~= REMOTE then
      set(source, LOCAL)
    elseif way == INBOUND and side == INNER then
      local at_target = known[target]
      if byte(target) % 2 == 0 and at_target ~= REMOTE and at_target ~= SEEN + REMOTE then
        set(target, LOCAL)
      end
      if known[source] == SEEN + REMOTE then -- a router inside the host may have put another one in
        set(source, REMOTE)
      end
    end
  end

  local function learn_first(side, source)
    if known[source] then
      return
    elseif not side then
      set(source, UNSURE)
    elseif has[INNER] and has[OUTER] and not is_disordered then
      set(source, SEEN + (side == INNER and LOCAL or REMOTE))
    end
  end

  local function by_macs(source, target)
    if byte(target) % 2 == 1 then
      return nil -- to several at once
    end
    local from, to = whose(source), whose(target)
    from, to = from and from % SEEN, to and to % SEEN
    if from == LOCAL and to == LOCAL then
      return INTERNAL
    elseif from == LOCAL and to == REMOTE then
      return OUTBOUND
    elseif from == REMOTE and to == LOCAL then
      return INBOUND
    end
    return nil
  end

  --- Takes a frame that the grouping has taken.
  -- @param time    of the frame, or nil
  -- @param node    of its path
  -- @param elapsed since the first sighting of its packet; nil for a first one
  -- @param noted   the direction that the capture tool noted, or nil
  -- @param macs    string: the first twelve bytes of an Ethernet header, or nil
  -- @param is_whole whether all packets so far were given to this function
  -- @return a code of `direction`, or nil where nothing tells
  function ways.step(time, node, elapsed, noted, macs, is_whole)
    undo_count, undo_side = 0, nil
    undo_latest, undo_disordered = latest, is_disordered
    if not time then
      return noted
    end
    note_time(time)
    local side = M.side(node.hop)
    if side and not has[side] then
      has[side], undo_side = true, side
    end
    local way = elapsed and by_order(node, elapsed)
    local by_mac
    if macs then
      local target, source = sub(macs, 1, 6), sub(macs, 7, 12)
      if way then
        learn_crossing(way, side, source, target)
      elseif not elapsed and is_whole then
        learn_first(side, source)
      end
      by_mac = by_macs(source, target)
    end
    return by_mac == INTERNAL and by_mac or noted or way or by_mac
  end

  --- Takes back the last step.
  function ways.undo()
    latest, is_disordered = undo_latest, undo_disordered
    if undo_side then
      has[undo_side] = false
    end
    for at = undo_count, 1, -1 do
      local before = undo_states[at] or nil
      known[undo_macs[at]] = before
      count = before and count or count - 1
    end
    undo_count, undo_side = 0, nil
  end

  return ways
end

return M
