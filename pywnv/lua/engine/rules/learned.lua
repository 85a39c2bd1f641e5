--- A hop that is known to show each packet of a sender several times shows the next sighting of a packet that it has
-- not shown that often yet. If several packets could be meant, there is no mark.

local parts = ...
local candidates, limits, routes = parts.candidates, parts.limits, parts.routes
local abs, max = math.abs, math.max

return {
  name = "learned",
  reason = "This hop shows each packet of its sender this often, and this soon",
  source = "",
  proof = "vlan_one_interface",
  verdict = "duplicate",
  evidence = "learned",
  new = function(state)
    -- Whether the next sighting of a packet at this hop comes at the place and the time of a frame.
    local function fits(packet, frame, route)
      local stage = packet.node.counts[frame.hop]
      if stage >= route.length or packet.node.hop ~= frame.hop then
        return false
      elseif candidates.seen(packet, frame.place) >= (route.counts[frame.place] or 0) then
        return false
      end
      local shortest, longest = routes.step(route, stage + 1)
      local gap = abs(frame.time - packet.last_time)
      local latest = max(limits.longest_gap * longest, limits.least_longest_gap)
      return gap >= limits.shortest_gap * shortest and gap <= latest
    end

    return function(frame, look)
      local packet, hop = look.here, frame.hop
      if not packet then
        return nil
      end
      local route = routes.usual(packet.flow.class, hop, candidates.first_place(packet, hop))
      if not route or route.length < 2 then
        return nil
      end
      local found = nil
      for at = 1, state.all_here(frame) do
        local candidate = look.list[at]
        if fits(candidate, frame, route) then
          if found then
            look.is_ambiguous = true
            return nil
          end
          found = candidate
        end
      end
      return found
    end
  end,
}
