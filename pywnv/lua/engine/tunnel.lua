--- Finds the packet inside a packet: VXLAN, Geneve, GTP-U, GRE, NVGRE and ERSPAN, IP in IP.
--
-- Sources: RFC 7348, RFC 8926, RFC 2784, RFC 2890, RFC 7637, RFC 2003, RFC 2473, RFC 4213; 3GPP TS 29.281 section 5;
-- draft-foschiano-erspan.

local link = ...

local byte, floor = string.byte, math.floor

local UDP, IPIP, IPV6_IN_IP, GRE = 17, 4, 41, 47
local VXLAN, VXLAN_LINUX, GENEVE = 4789, 8472, 6081 -- ports; Linux used its own before there was one
local GTPU, GTPU_DATA = 2152, 255 -- port; message type
local MOST_EXTENSIONS = 8
local BRIDGED = 0x6558 -- transparent Ethernet bridging
local ERSPAN, ERSPAN3 = 0x88be, 0x22eb

-- PORTS: of UDP, behind which a packet may be.
local M = { PORTS = { [VXLAN] = true, [VXLAN_LINUX] = true, [GENEVE] = true, [GTPU] = true } }

-- @return index and EtherType of the network header inside; index of the Ethernet header before it, where there is one
local function inside(ethertype, buf, at, stop)
  if ethertype == BRIDGED then
    local l3, inner = link.network("ethernet", buf, at, stop)
    return l3, inner, at
  end
  return at, ethertype
end

local function big24(buf, at)
  local high, middle, low = byte(buf, at, at + 2)
  return (high * 256 + middle) * 256 + low
end

-- An IP packet behind GTP version 1.
local function past_gtpu(buf, at, stop)
  local flags, kind = byte(buf, at, at + 1)
  if floor(flags / 16) ~= 3 or kind ~= GTPU_DATA then
    return nil
  end
  local l3 = at + 8
  if flags % 8 > 0 then -- sequence number, N-PDU number, type of the next extension header
    l3 = l3 + 4
    for _ = 1, flags % 8 >= 4 and MOST_EXTENSIONS or 0 do
      local units = byte(buf, l3)
      if l3 > stop or byte(buf, l3 - 1) == 0 or units == 0 then
        break
      end
      l3 = l3 + 4 * units
    end
  end
  local first = byte(buf, l3)
  if l3 > stop then
    return nil
  end
  return l3, first >= 0x60 and link.IPV6 or link.IPV4
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
    local l3, ethertype, l2 = inside(BRIDGED, buf, at + 16, stop)
    return l3, ethertype, l2, big24(buf, at + 12)
  elseif port == GENEVE then
    local first, _, type2, type1 = byte(buf, at + 8, at + 11)
    if first >= 0x40 then
      return nil
    end
    local l3, ethertype, l2 = inside(type2 * 256 + type1, buf, at + 16 + 4 * (first % 64), stop)
    return l3, ethertype, l2, big24(buf, at + 12)
  elseif port == GTPU then
    return past_gtpu(buf, at + 8, stop)
  end
  return nil
end

-- A mirrored frame. Type I has no header of its own, nor a sequence number; II has 8 bytes, III 12 or 20.
local function past_erspan(ethertype, has_number, buf, at, stop)
  if ethertype == ERSPAN then
    return inside(BRIDGED, buf, at + (has_number and 8 or 0), stop)
  end
  local last = byte(buf, at + 11)
  if at + 11 > stop then
    return nil
  end
  return inside(BRIDGED, buf, at + (last % 2 == 1 and 20 or 12), stop)
end

local function past_gre(buf, at, stop)
  local flags, version, type2, type1 = byte(buf, at, at + 3)
  if at + 3 > stop or version % 8 ~= 0 or floor(flags / 64) % 2 == 1 then -- PPTP; source routing
    return nil
  end
  local has_checksum, has_key = flags >= 128, floor(flags / 32) % 2 == 1
  local size = 4 + (has_checksum and 4 or 0) + (has_key and 4 or 0) + (floor(flags / 16) % 2 == 1 and 4 or 0)
  local ethertype = type2 * 256 + type1
  if ethertype == BRIDGED and has_key and at + 11 <= stop then -- NVGRE
    local l3, inner, l2 = inside(ethertype, buf, at + size, stop)
    return l3, inner, l2, big24(buf, at + (has_checksum and 8 or 4))
  end
  if ethertype == ERSPAN or ethertype == ERSPAN3 then
    return past_erspan(ethertype, floor(flags / 16) % 2 == 1, buf, at + size, stop)
  end
  return inside(ethertype, buf, at + size, stop)
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

--- The index of the network header of the packet inside, and its EtherType; nil if there is none.
-- @param protocol of the outer packet's transport
-- @param at       index of its transport header
-- @param stop     index of its last captured byte
-- @return these two; the index of the Ethernet header inside, or nil; the identifier of the virtual network, or nil
function M.network(protocol, buf, at, stop)
  local l3, ethertype, l2, vni
  if protocol == UDP then
    l3, ethertype, l2, vni = past_udp(buf, at, stop)
  elseif protocol == GRE then
    l3, ethertype, l2, vni = past_gre(buf, at, stop)
  elseif protocol == IPIP then
    l3, ethertype = at, link.IPV4
  elseif protocol == IPV6_IN_IP then
    l3, ethertype = at, link.IPV6
  end
  if l3 and is_whole(ethertype, buf, l3, stop) then
    return l3, ethertype, l2, vni
  end
  return nil
end

return M
