--- Learns which virtual network a hop leads to if it shows packets without their tunnel: from packets that were seen so
-- there, and in a tunnel elsewhere. If a hop leads to several networks, sender and receiver distinguish them.

local limits = ...

local M = {}

--- @return table: of, note, is_empty
function M.new()
  local known = {} -- by hop, and by place: { vni =, agree =, against = } in packets
  local networks = { is_empty = true } -- nothing is known: most captures have no tunnel

  local function bound(where)
    local its = known[where]
    if its and its.agree >= limits.network_agree and its.agree >= limits.network_share * its.against then
      return its.vni
    end
    return nil
  end

  --- The virtual network of what is seen bare at a place; nil if none is known.
  function networks.of(place)
    if networks.is_empty or place.link == "tunnel" then
      return nil
    end
    return bound(place.hop) or bound(place)
  end

  local function count(where, vni)
    local its = known[where]
    if not its then
      known[where] = { vni = vni, agree = 1, against = 0 }
    elseif its.vni == vni then
      its.agree = its.agree + 1
    else
      its.against = its.against + 1
    end
  end

  --- Learns the virtual network of a hop from a frame of a packet, if only one of the two was seen in a tunnel.
  function networks.note(packet, frame)
    local place, vni
    if frame.vni == packet.vni then
      return
    elseif frame.vni and packet.link ~= "tunnel" then
      place, vni = packet.places[packet.node.depth], frame.vni
    elseif packet.vni and frame.link ~= "tunnel" then
      place, vni = frame.place, packet.vni
    else
      return
    end
    networks.is_empty = false
    count(place.hop, vni)
    count(place, vni)
  end

  return networks
end

return M
