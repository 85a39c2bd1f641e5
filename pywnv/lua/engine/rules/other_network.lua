--- Tenants of virtual networks may have the same addresses and send the same bytes.

return {
  name = "other_network",
  reason = "They are in different virtual networks",
  source = "RFC 7348 4.1 (VXLAN), RFC 7637 3.2 (NVGRE), RFC 8926 3.4 (Geneve)",
  proof = "lab2/tenants",
  new = function(state)
    local networks = state.networks
    local network_of = networks.of
    return function(packet, frame)
      local vni, known = frame.vni, packet.vni
      if networks.is_empty and not vni and not known then
        return false
      elseif vni and known then
        return vni ~= known
      end
      -- Where one was seen bare, its hop may tell. What is left out for that only may show that it does not.
      local last_place = packet.places[packet.node.depth]
      vni, known = vni or network_of(frame.place), known or packet.network or network_of(last_place)
      if vni and known and vni ~= known then
        state.look.refused = packet
        return true
      end
      return false
    end
  end,
}
