--- Finds the packet inside a packet: VXLAN, Geneve, GRE and NVGRE, IP in IP.
--
-- Sources: RFC 7348, RFC 8926, RFC 2784, RFC 2890, RFC 7637, RFC 2003, RFC 2473, RFC 4213.

local link = ...

local byte, floor = string.byte, math.floor

local UDP, IPIP, IPV6_IN_IP, GRE = 17, 4, 41, 47
local VXLAN, VXLAN_LINUX, GENEVE = 4789, 8472, 6081 -- ports; Linux used its own before there was one
local BRIDGED = 0x6558 -- transparent Ethernet bridging

local M = {}

local function inside(ethertype, buf, at, stop)
  if ethertype == BRIDGED then
    return link.network("ethernet", buf, at, stop)
  end
  return at, ethertype
end

local function past_udp(buf, at, stop)
  local high, low = byte(buf, at + 2, at + 3)
  if at + 15 > stop then
    return nil
  end
  local port = high * 256 + low
  if port == VXLAN or port == VXLAN_LINUX then
    if byte(buf, at + 8) ~= 8 then -- the flag that says: an identifier follows
      return nil
    end
    return inside(BRIDGED, buf, at + 16, stop)
  elseif port == GENEVE then
    local first, _, type2, type1 = byte(buf, at + 8, at + 11)
    if first >= 0x40 then
      return nil
    end
    return inside(type2 * 256 + type1, buf, at + 16 + 4 * (first % 64), stop)
  end
  return nil
end

local function past_gre(buf, at, stop)
  local flags, version, type2, type1 = byte(buf, at, at + 3)
  if at + 3 > stop or version % 8 ~= 0 or floor(flags / 64) % 2 == 1 then -- PPTP; source routing
    return nil
  end
  local size = 4
  for _, flag in ipairs({ 128, 32, 16 }) do -- checksum, key, sequence number
    if floor(flags / flag) % 2 == 1 then
      size = size + 4
    end
  end
  return inside(type2 * 256 + type1, buf, at + size, stop)
end

-- Whether the network header inside was captured, and is one.
local function is_whole(ethertype, buf, at, stop)
  local first = byte(buf, at) or 0
  if ethertype == link.IPV4 then
    return first >= 0x45 and first <= 0x4f and at + 19 <= stop
  elseif ethertype == link.IPV6 then
    return first >= 0x60 and first <= 0x6f and at + 39 <= stop
  end
  return ethertype == link.ARP and at + 27 <= stop
end

--- The index of the network header of the packet inside, and its EtherType; nil where there is none.
-- @param protocol of the outer packet's transport
-- @param at       index of its transport header
-- @param stop     index of its last captured byte
function M.network(protocol, buf, at, stop)
  local l3, ethertype
  if protocol == UDP then
    l3, ethertype = past_udp(buf, at, stop)
  elseif protocol == GRE then
    l3, ethertype = past_gre(buf, at, stop)
  elseif protocol == IPIP then
    l3, ethertype = at, link.IPV4
  elseif protocol == IPV6_IN_IP then
    l3, ethertype = at, link.IPV6
  end
  if l3 and is_whole(ethertype, buf, l3, stop) then
    return l3, ethertype
  end
  return nil
end

return M
