--- A hop that is known to show each packet of a sender to a receiver several times (if nothing is known of them: each
-- packet of all others) shows the next sighting of a packet that it has not shown that often yet. If several packets
-- could be meant, or a datagram without an identity comes later than usual, there is no mark, unless packets wait in
-- order at another place. A packet that went on to another hop may come back with another link header, if others did: a
-- host sends it on through the NIC on which it came.

local parts = ...
local candidates, identity, limits = parts.candidates, parts.identity, parts.limits
local order, path, routes = parts.order, parts.path, parts.routes
local abs, max = math.abs, math.max

local TCP = 6

return {
  name = "learned",
  reason = "This hop shows each packet like it this often, and this soon",
  source = "",
  proof = "vlan_one_interface",
  verdict = "duplicate",
  evidence = "learned",
  new = function(state)
    -- Whether the next sighting of a packet at this hop comes at the place and the time of a frame.
    local function fits(packet, frame, route)
      local stage, place = packet.node.counts[frame.hop], frame.place
      if stage >= route.length then
        return false
      end
      local is_of_others, seen = route.counts[place.at_hop] ~= nil, candidates.seen(packet, place)
      if packet.node.hop ~= frame.hop then -- it went on; where others came back from, it may with another link header
        local took, longest = order.step(state.all_order, packet, frame)
        local may_be_back = path.has_gone_on(packet.flow.class, packet.node, frame.hop)
        return may_be_back and seen == 0 and route.counts[place] == 1 and took <= longest
      elseif is_of_others and seen < stage then
        return false -- it was seen at another place
      elseif not is_of_others then
        local begins = routes.begins_at(route, candidates.first_place(packet, frame.hop))
        if not begins or seen >= (route.counts[place] or 0) then
          return false
        end
      end
      local shortest, longest = routes.step(route, stage + 1)
      local gap = abs(frame.time - packet.last_time)
      local is_weak = packet.strength == identity.WEAK
      local least = is_of_others and 0 or is_weak and limits.least_weak_step or limits.least_longest_gap
      local is_late = is_weak and packet.protocol ~= TCP and gap > limits.longest_gap * longest
      if gap < limits.shortest_gap * shortest or is_late and packet.is_ambiguous then
        return false
      end
      return gap <= max(limits.longest_gap * longest, least), is_late
    end

    -- Whether two packets wait at one place to be seen at another, so that the first comes first.
    local function are_in_order(packet, other, frame, route)
      local place = packet.places[packet.node.depth]
      return packet.node == other.node
        and place == other.places[other.node.depth]
        and place ~= frame.place
        and route.counts[frame.place] == 1
        and packet.written_ends == frame.written_ends
    end

    -- Whether a frame comes too soon to be the next sighting of a packet that is still to be seen at this hop.
    local function is_too_soon(packet, frame, route)
      local stage = packet.node.counts[frame.hop]
      return stage < route.length
        and abs(frame.time - packet.last_time) < limits.shortest_gap * routes.step(route, stage + 1)
    end

    -- Whether the sender of a packet without an identity often sends equal ones so close together that their sightings
    -- mix. Equal ACKs are as far apart as what they acknowledge; what shows once at each place is in order.
    local function is_crowded(packet, frame, route)
      local flow = packet.flow
      return packet.strength == identity.WEAK
        and route.counts[frame.place] ~= 1
        and packet.protocol ~= TCP
        and not packet.node.is_group
        and flow.crowds * limits.crowds > flow.apart
    end

    return function(frame, look)
      local packet, hop = look.here, frame.hop
      if not packet then
        return nil
      end
      local place, class = candidates.first_place(packet, hop), packet.flow.class
      local route = routes.usual(class, hop, place) or routes.of_others(class, place, packet.node)
      if not route or route.length < 2 then
        return nil
      end
      local found = nil
      for at = 1, state.all_here(frame) do
        local candidate = look.list[at]
        local may_be, is_late = fits(candidate, frame, route)
        if may_be then
          if is_late or found and not are_in_order(found, candidate, frame, route) then
            look.is_ambiguous, look.is_crowd = true, found ~= nil
            return nil
          end
          found = found or candidate
        end
      end
      if found and (found.is_ambiguous or state.may_be_sent_again(found, frame)) then
        look.is_ambiguous = true
        return nil
      end
      if found and is_crowded(found, frame, route) then
        look.is_ambiguous, look.is_crowd = true, nil
        return nil
      end
      look.is_crowd = not found and is_too_soon(packet, frame, route)
      return found
    end
  end,
}
