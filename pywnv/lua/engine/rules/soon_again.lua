--- No sender repeats TCP data at once, nor what protocols send by a timer.

local parts = ...
local candidates, identity, limits = parts.candidates, parts.identity, parts.limits
local abs = math.abs

return {
  name = "soon_again",
  reason = "No sender sends this twice so soon",
  source = "RFC 9293 3.8; RFC 826; RFC 4861 6; RFC 6762 6",
  proof = "rules/lso-n",
  verdict = "duplicate",
  proves = true,
  new = function(state)
    return function(frame, look)
      local packet = look.here
      if not packet or look.elsewhere or packet.node.hop ~= frame.hop then
        return nil -- it has gone on
      elseif identity.of_pair(packet, frame) < identity.STRONG then
        return nil
      end
      local is_strong = identity.of_pair(packet, frame) == identity.STRONG
      if is_strong and not identity.is_asked_for(packet) then
        return nil
      elseif is_strong and state.has_several_hops and frame.place.at_hop.more == 0 and identity.is_timed(packet) then
        return nil -- where a packet shows at several hops, it shows once at each
      end
      local longest = identity.is_timed(packet) and limits.same_hop_timers or limits.same_hop_soon
      if abs(frame.time - packet.last_time) > longest or candidates.is_flood(packet, frame) then
        return nil
      elseif candidates.is_to_other_vlan(packet, frame) then
        return nil
      end
      local segment = state.segment_of(frame)
      if segment then
        local is_asked, may_be_asked = state.is_asked_for(packet, frame)
        if may_be_asked then
          look.is_ambiguous = look.is_ambiguous or not is_asked
          return nil
        end
      end
      if frame.ttl ~= packet.ttl then
        return nil -- a ladder of probes
      end
      local is_once, _, route = candidates.is_known_once(packet, frame.hop)
      if is_once or candidates.seems_once(packet, frame.place) then
        look.doubted = route or frame.place.route
        return nil
      elseif not segment and frame.place.at_hop.more == 0 and packet.flow.repeats >= limits.flood then
        return nil -- a sender that repeats itself, where nothing proves that packets show several times
      end
      return packet
    end
  end,
}
