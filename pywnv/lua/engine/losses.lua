--- Signs that one of several equal packets was lost before a hop: that it was dropped, or how many frames in a row came
-- as if it was lost.

local limits = ...

local max, min = math.max, math.min

local M = {}

-- Whether a packet went on from the component that a hop belongs to.
local function has_passed(packet, hop)
  local places, component, has_come = packet.places, hop.component_id, false
  for at = 1, component and packet.node.depth or 0 do
    local other = places[at].hop
    local is_there = other.component_id == component and other.observer == hop.observer
    if has_come and not is_there then
      return true
    end
    has_come = is_there
  end
  return false
end

--- Whether a drop says that a frame shows another packet. A dropped packet goes no further, unless it goes to a group.
-- A component does not drop a packet that it has passed on.
function M.differ(packet, frame)
  if frame.is_drop then
    return has_passed(packet, frame.hop)
  end
  return packet.is_dropped and frame.time > packet.last_time and not packet.node.is_group
end

--- None yet, of the packets of a queue at a hop.
function M.new()
  return { count = 0, index = 0, is_lost = false, at_once = 0, last = 0, shortest = 0, longest = 0 }
end

--- Whether the packets before one count as lost: several frames in a row have come as if they were.
-- @param signs at this hop, as `new` makes them, or nil
-- @param index where that packet stands in the queue
function M.are_before(signs, index)
  return signs ~= nil and (signs.is_lost or signs.count + (signs.index == index and 0 or 1) >= limits.late)
end

--- Whether those before the last packet of a queue are lost, as each frame came just behind the last one then. Where it
-- is not known that packets come so soon, this counts only if the others would have waited as unevenly as packets come.
-- @param signs    at this hop, or nil
-- @param last     where the last packet stands in the queue
-- @param is_known whether packets are known to come so soon
function M.are_before_last(signs, last, is_known)
  if not signs or signs.last == last then
    return false
  elseif is_known then
    return signs.at_once >= limits.late - 1
  end
  return signs.at_once >= limits.late_unknown - 1 and signs.longest >= limits.usual_gap * signs.shortest
end

--- Notes whether a frame came as if packets before the one that it shows were lost.
-- @param look what was found for it: see `candidates`
function M.note(signs, look)
  if look.at_once then
    local waited = look.waited
    signs.shortest = signs.at_once > 0 and min(signs.shortest, waited) or waited
    signs.longest = signs.at_once > 0 and max(signs.longest, waited) or waited
  end
  signs.at_once = look.at_once and look.at_once ~= signs.last and signs.at_once + 1 or 0
  signs.last = look.at_once
  if look.late then
    signs.count = signs.count + (signs.index == look.late and 0 or 1)
    signs.index, signs.is_lost = look.late, signs.is_lost or look.slips
  elseif look.is_alone then
    signs.count = 0
  end
end

return M
