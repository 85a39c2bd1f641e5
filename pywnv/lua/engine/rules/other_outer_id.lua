--- Who puts a packet into a tunnel counts what it sends, and sends it to each end by itself. What a mirror puts into
-- one is counted for each sighting.

return {
  name = "other_outer_id",
  reason = "Their tunnels have other IP IDs, or other ends",
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
