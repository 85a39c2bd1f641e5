--- Learns which virtual network a hop leads to if it shows packets without their tunnel: from packets that were seen so
-- there, and in a tunnel elsewhere. If a hop leads to several networks, sender and receiver distinguish them. It learns
-- the same of VLANs, where a hop shows packets without their tag.

local limits = ...

local M = {}

-- What hops, or places, lead to.
local function new_bindings()
  local known = {} -- { to =, agree =, against = } in packets
  local bindings = {}

  function bindings.of(where)
    local its = known[where]
    if its and its.agree >= limits.network_agree and its.agree >= limits.network_share * its.against then
      return its.to
    end
    return nil
  end

  function bindings.count(where, to)
    local its = known[where]
    if not its then
      known[where] = { to = to, agree = 1, against = 0 }
    elseif its.to == to then
      its.agree = its.agree + 1
    else
      its.against = its.against + 1
    end
  end

  return bindings
end

-- Of the places of two hops, of which one shows a VLAN's tag and one does not: the hop of that, and the tag. Else nil.
local function bare_and_tag(place, other)
  if place.vlans == other.vlans or place.hop == other.hop then
    return nil
  elseif place.vlans == "" then
    return place.hop, other.vlans
  elseif other.vlans == "" then
    return other.hop, place.vlans
  end
  return nil
end

--- @return table: of, note, is_other_vlan, are_of_several_vlans, is_empty
function M.new()
  local vnis, vlans, has_vlans = new_bindings(), new_bindings(), false
  local networks = { is_empty = true } -- nothing is known: most captures have no tunnel

  --- The virtual network of what is seen bare at a place; nil if none is known.
  function networks.of(place)
    if networks.is_empty or place.link == "tunnel" then
      return nil
    end
    return vnis.of(place.hop) or vnis.of(place)
  end

  --- Whether a frame and a packet of another hop are in two VLANs. Two tags prove nothing: a router may change them.
  -- @return true or false; nil: one has a tag, and it is not known which VLAN the other is in
  function networks.is_other_vlan(packet, frame)
    local last, place = packet.places[packet.node.depth], frame.place
    local has_tag, had_tag = place.vlans ~= "", last.vlans ~= ""
    if last.hop == place.hop or has_tag and had_tag or not (has_tag or had_tag or has_vlans) then
      return false
    end
    local vlan = has_tag and place.vlans or vlans.of(place.hop)
    local other = had_tag and last.vlans or vlans.of(last.hop)
    if vlan and other then
      return vlan ~= other
    elseif has_tag or had_tag then
      return nil
    end
    return false
  end

  --- Whether packets were seen last in several VLANs.
  -- @param packets a list; count: how many of it
  function networks.are_of_several_vlans(packets, count)
    local vlans_before = nil
    for at = 1, count do
      local place = packets[at].places[packets[at].node.depth]
      if vlans_before and vlans_before ~= place.vlans then
        return true
      end
      vlans_before = place.vlans
    end
    return false
  end

  --- Learns the network of a hop from a frame of a packet, if only one of the two was seen in a tunnel, or with a tag.
  function networks.note(packet, frame)
    local hop, tag = bare_and_tag(packet.places[packet.node.depth], frame.place)
    if hop then
      has_vlans = true
      vlans.count(hop, tag)
    end
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
    vnis.count(place.hop, vni)
    vnis.count(place, vni)
  end

  return networks
end

return M
