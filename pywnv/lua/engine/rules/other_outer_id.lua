--- A tunnel endpoint counts the packets that it sends, and sends a packet to each other endpoint separately. A mirror
-- that sends through a tunnel counts each sighting.

return {
  name = "other_outer_id",
  reason = "Their tunnels have different IP IDs or endpoints",
  source = "RFC 6864 4.1; RFC 7348 4.2 (a VTEP sends a broadcast to each other one)",
  proof = "rules/vxlan-2vni",
  new = function()
    return function(packet, frame)
      local ends, known = frame.outer_ends, packet.outer_ends
      if not ends or not known then
        return false
      elseif ends ~= known then
        return packet.node.counts[frame.hop] ~= nil
      end
      local outer, ident = frame.outer_ident, packet.outer_ident
      return outer ~= ident and frame.ident == 0 and outer > 0 and ident > 0
    end
  end,
}
