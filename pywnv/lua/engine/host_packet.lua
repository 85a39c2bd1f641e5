--- Reads the fields of a frame that the rules of a host compare: its outermost headers, as the vmSwitch sees them.
--
-- Sources: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 9260, IEEE 802.1Q.

local link = ...

local byte, sub = string.byte, string.sub

local TCP = 6
local HAS_PORTS = { [TCP] = true, [17] = true, [132] = true }
local EXTENSION = { [0] = true, [43] = true, [60] = true } -- of IPv6: hop-by-hop, routing, destination options
local FRAGMENT, MOST_EXTENSIONS = 44, 8

local M = { LONGEST = 256 } -- bytes of a frame that are looked at

local function big16(buf, at)
  local high, low = byte(buf, at, at + 1)
  return low and high * 256 + low
end

local function read_transport(packet, buf, at, protocol)
  packet.protocol = protocol
  if HAS_PORTS[protocol] then
    packet.source_port, packet.destination_port = big16(buf, at), big16(buf, at + 2)
  end
  local flags = protocol == TCP and byte(buf, at + 13)
  packet.begins = flags and flags % 4 >= 2 and flags % 32 < 16 or nil -- SYN without ACK
end

local function read_ipv4(packet, buf, at)
  local first, protocol = byte(buf, at), byte(buf, at + 9)
  if #buf < at + 19 or first < 0x45 or first > 0x4f then
    return
  end
  packet.source, packet.destination = sub(buf, at + 12, at + 15), sub(buf, at + 16, at + 19)
  if big16(buf, at + 6) % 8192 == 0 then -- not the later part of a fragmented packet
    read_transport(packet, buf, at + first % 16 * 4, protocol)
  else
    packet.protocol = protocol
  end
end

local function read_ipv6(packet, buf, at)
  local first, protocol = byte(buf, at), byte(buf, at + 6)
  if #buf < at + 39 or first < 0x60 or first > 0x6f then
    return
  end
  packet.source, packet.destination = sub(buf, at + 8, at + 23), sub(buf, at + 24, at + 39)
  at = at + 40
  for _ = 1, MOST_EXTENSIONS do
    local following, units = byte(buf, at, at + 1)
    if protocol == FRAGMENT and #buf >= at + 7 then
      protocol = following
      if big16(buf, at + 2) >= 8 then
        packet.protocol = protocol
        return
      end
      at = at + 8
    elseif EXTENSION[protocol] and units then
      protocol, at = following, at + 8 * (units + 1)
    else
      break
    end
  end
  read_transport(packet, buf, at, protocol)
end

--- What the bytes of a frame tell.
-- @param kind of its link header
-- @param buf  its first bytes: LONGEST, or all
-- @param length of the frame on the wire
-- @return table: as `host_rules.evaluate` takes it, without is_inbound
function M.read(kind, buf, length)
  local packet = {}
  local l3, ethertype, form = link.network(kind, buf, 1, #buf, length)
  if kind == "ethernet" and form ~= "wifi" and form ~= "raw" and #buf >= 14 then
    packet.destination_mac, packet.source_mac = sub(buf, 1, 6), sub(buf, 7, 12)
    if #link.tags(sub(buf, 1, 18)) >= 4 then
      packet.vlan = big16(buf, 15) % 4096
      packet.is_tagged = true
    end
  end
  if l3 and ethertype == link.IPV4 then
    read_ipv4(packet, buf, l3)
  elseif l3 and ethertype == link.IPV6 then
    read_ipv6(packet, buf, l3)
  end
  return packet
end

return M
