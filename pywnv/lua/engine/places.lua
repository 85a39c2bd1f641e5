--- Places: a hop, together with the link header or tunnel around the packet there. One interface may show a packet
-- before and after a router, with and without a VLAN tag, in a tunnel and without.

local link_of, routes, limits = ...

local byte, format, min, sub = string.byte, string.format, math.min, string.sub

local LONGEST_HEADER = 64 -- bytes; only one made to defeat us is longer

local M = {}

local function is_group(header, at)
  return (byte(header, at) or 0) % 2 == 1
end

-- Link headers that do not change from packet to packet, by what tells one way from another.
local function wifi_part(header, at)
  return sub(header, at + 4, at + 21) -- three addresses
end

local shapes = {}

function shapes.tunnel(frame)
  local header, l2 = frame.header, frame.l2
  local inner = sub(header, 1, 12)
  if l2 then
    l2 = l2 - frame.at + 1
    inner = sub(header, is_group(header, l2) and l2 + 6 or l2)
  end
  return (frame.vni or "") .. inner
end

function shapes.wifi(frame)
  return wifi_part(frame.header, 1)
end

function shapes.radiotap(frame)
  local low, high = byte(frame.header, 3, 4)
  return high and wifi_part(frame.header, low + high * 256 + 1) or ""
end

function shapes.sll(frame)
  return sub(frame.header, 1, 14) -- in or out, and who sent
end

function shapes.sll2(frame)
  return sub(frame.header, 5, 20) -- interface; in or out, and who sent
end

-- The ids of VLAN tags, four characters each, without priorities; a tag with the id 0 names no VLAN (802.1Q 9.6).
local function vlans_of(header)
  local tags, vlans = link_of.tags(header), ""
  for at = 3, #tags - 1, 4 do
    local high, low = byte(tags, at, at + 1)
    local id = high % 16 * 256 + low
    vlans = id > 0 and vlans .. format("%4d", id) or vlans
  end
  return vlans
end

--- What stands around a packet, as text: equal for all frames of one way.
-- @param frame as `frame.read` gives it
local function shape_of(frame)
  local link, header = frame.link, frame.header
  if link == "ethernet" then
    return sub(header, is_group(header, 1) and 7 or 1, min(#header - 2, LONGEST_HEADER)) -- IPv4 and IPv6 go one way
  end
  local shape = shapes[link]
  return shape and shape(frame) or ""
end

--- The places of one capture.
-- @return function: the place of a frame, a table: hop, hop_index, link
function M.new()
  local of_hop, count, last_hop = {}, 0, 0

  return function(frame)
    local hop, header, link = frame.hop, frame.header, frame.link
    local known = of_hop[hop]
    if not known then
      last_hop = (last_hop + 1) % 65536
      known = { exact = {}, shapes = {}, hop_index = last_hop, at_hop = { once = 0, more = 0, most = 0 } }
      of_hop[hop] = known
    end
    local is_exact = link == "ethernet" and #header <= LONGEST_HEADER
    local place = is_exact and known.exact[header]
    if place then
      return place
    end
    local shape = link .. " " .. shape_of(frame)
    place = known.shapes[shape]
    if not place then
      if count >= limits.places then
        known = { exact = {}, shapes = {}, hop_index = known.hop_index, at_hop = known.at_hop }
        of_hop, count = { [hop] = known }, 0
      end
      count = count + 1
      place = {
        hop = hop,
        hop_index = known.hop_index,
        at_hop = known.at_hop, -- how many packets its hop has shown once, how many more often, and how often at most
        link = link,
        vlans = is_exact and vlans_of(header) or "",
        route = routes.new(), -- of packets that come to this hop here
      }
      known.shapes[shape] = place
    end
    if is_exact then
      known.exact[header] = place
    end
    return place
  end
end

return M
