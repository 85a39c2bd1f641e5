--- The sender counts its packets, or puts a new random value into each: two frames with the same value are one packet,
-- however long the host or a router held it, and whatever the link headers and the TTL are. But where packets show at
-- several hops, and here surely once each, the network has doubled one that comes again before it has gone on.

local parts = ...
local identity, candidates, limits = parts.identity, parts.candidates, parts.limits
local abs = math.abs

-- Whether a frame with the headers of a packet may be another packet that has its IP ID, too: the frame comes late,
-- nothing but the IP ID identifies the packet, and all packets of the flow have had this ID so far. What is never
-- fragmented needs no ID of its own (RFC 6864 4.1).
local function is_perhaps_constant(packet, frame)
  return packet.ident > 0
    and not packet.flow.is_changing
    and abs(frame.time - packet.last_time) > limits.same_hop_soon
    and frame.header == packet.header
    and frame.mutable == packet.mutable
    and (identity.is_timed(packet) or identity.without_ident(packet, packet.flow) == identity.WEAK)
end

return {
  name = "same_identity",
  reason = "Its sender gives this identity to one packet only",
  source = "RFC 6864 4.1; RFC 7323; RFC 4303 3.3.3",
  proof = "rules/neg-flood-udp-const",
  verdict = "duplicate",
  proves = true,
  new = function(state)
    return function(frame, look)
      local packet = look.elsewhere or look.here
      if not packet or identity.of_pair(packet, frame) < identity.PROOF then
        return nil
      end
      if packet == look.here then
        local _, is_sure, route = candidates.is_known_once(packet, frame.hop)
        if is_sure and state.has_several_hops and candidates.seen(packet, frame.place) > 0 then
          look.doubted = route
          return nil
        elseif candidates.is_flood(packet, frame) then
          return nil
        elseif is_perhaps_constant(packet, frame) then
          look.probe = packet
          return nil
        elseif look.is_back or state.may_be_sent_again(packet, frame) then
          look.is_ambiguous = true -- if sent again, perhaps in the same tick of the clock that stamps it
          return nil
        end
      end
      return packet
    end
  end,
}
