--- Who sends a packet to whom: protocol, addresses and ports of the innermost packet, as rows have them.
--
-- They are read from the key, so that nothing is looked for twice. A fragment has no ports.
-- Sources: IANA protocol numbers; IEEE EtherTypes; RFC 5952 (how IPv6 addresses are written).

local byte, concat, format, sub = string.byte, table.concat, string.format, string.sub

local MOST = 4096 -- that are known at a time; only a scan shows more

local PROTOCOLS = {
  [1] = "ICMP", [2] = "IGMP", [4] = "IPv4", [6] = "TCP", [17] = "UDP", [33] = "DCCP", [41] = "IPv6", [46] = "RSVP",
  [47] = "GRE", [50] = "ESP", [51] = "AH", [58] = "ICMPv6", [88] = "EIGRP", [89] = "OSPF", [103] = "PIM",
  [112] = "VRRP", [115] = "L2TP", [132] = "SCTP", [136] = "UDP-Lite",
}
local WITH_PORTS = { [6] = true, [17] = true, [33] = true, [132] = true, [136] = true }
local ETHERTYPES = {
  [0x0000] = "LLC", [0x0800] = "IPv4", [0x0806] = "ARP", [0x0842] = "WoL", [0x8035] = "RARP", [0x86dd] = "IPv6",
  [0x8809] = "LACP", [0x8847] = "MPLS", [0x8848] = "MPLS", [0x8863] = "PPPoE", [0x8864] = "PPPoE", [0x888e] = "EAPOL",
  [0x88cc] = "LLDP", [0x88f7] = "PTP", [0x8902] = "CFM", [0x8906] = "FCoE",
}
local NO_PORTS = "\0\0\0\0"
local STP = "\66\66" -- the LLC addresses of a spanning tree's frame

local M = {}

local function ipv4(text, at)
  return format("%d.%d.%d.%d", byte(text, at, at + 3))
end

-- The longest run of groups that are 0, two at least: its first and its last; nil if there is none.
local function zeros(groups)
  local best, most, first = nil, 1, nil
  for at = 1, 9 do
    if groups[at] == 0 then
      first = first or at
    elseif first then
      if at - first > most then
        best, most = first, at - first
      end
      first = nil
    end
  end
  return best, best and best + most - 1
end

--- An IPv6 address: the 16 bytes from `at` on, as text.
function M.ipv6(text, at)
  local groups, words = {}, {}
  for number = 1, 8 do
    local high, low = byte(text, at + 2 * number - 2, at + 2 * number - 1)
    groups[number] = high * 256 + low
    words[number] = format("%x", groups[number])
  end
  local first, last = zeros(groups)
  if not first then
    return concat(words, ":")
  end
  return concat(words, ":", 1, first - 1) .. "::" .. concat(words, ":", last + 1)
end

local function mac(text, at)
  return format("%02x:%02x:%02x:%02x:%02x:%02x", byte(text, at, at + 5))
end

local function port(text, at)
  local high, low = byte(text, at, at + 1)
  return high * 256 + low
end

-- Of an IP packet: its protocol, its addresses, and its ports where it has such.
local function of_ip(known, address, size)
  local protocol, ports = byte(known, 1), 2 + 2 * size
  local ends = {
    protocol = PROTOCOLS[protocol] or format("IP protocol %d", protocol),
    source = address(known, 2),
    destination = address(known, 2 + size),
  }
  if #known > ports and sub(known, ports) ~= NO_PORTS then
    ends.source_port, ends.destination_port = port(known, ports), port(known, ports + 2)
  end
  return ends
end

-- Of an ARP packet for IPv4 on Ethernet: who asks or tells, and whom it asks or tells.
local function of_arp(key)
  local ends = { protocol = "ARP" }
  if #key == 29 and sub(key, 2, 7) == "\0\1\8\0\6\4" then
    ends.source, ends.destination = ipv4(key, 16), ipv4(key, 26)
  end
  return ends
end

local function of_other(known, has_addresses)
  local ethertype = port(known, 3)
  local ends = { protocol = ETHERTYPES[ethertype] or format("0x%04x", ethertype) }
  if has_addresses and #known >= 16 then
    ends.destination, ends.source = mac(known, 5), mac(known, 11)
  end
  return ends
end

local by_ip, by_arp, by_other, count = {}, {}, {}, 0

local function keep(of, known, ends)
  if count >= MOST then
    by_ip, by_arp, by_other, count = {}, {}, {}, 0
  end
  of[known], count = ends, count + 1
  return ends
end

--- The ends of a packet.
-- @param frame as `engine.look` leaves it
-- @return a table, the same for the same ends: protocol, source, destination (strings), source_port, destination_port;
--   each nil if there is none; nil for what is not understood
function M.of(frame)
  if not frame.span then
    return nil -- it has not been read
  end
  local key = frame.time and frame.written or frame.key -- not as a NAT's binding has changed it
  local kind = byte(key, 1)
  if kind == 4 then
    local has_ports = frame.has_transport and WITH_PORTS[byte(key, 8)]
    local known = sub(key, 8, has_ports and 20 or 16)
    return by_ip[known] or keep(by_ip, known, of_ip(known, ipv4, 4))
  elseif kind == 6 then
    local has_ports = frame.has_transport and WITH_PORTS[byte(key, 4)]
    local known = sub(key, 4, has_ports and 40 or 36)
    return by_ip[known] or keep(by_ip, known, of_ip(known, M.ipv6, 16))
  elseif kind == 1 then
    return by_arp[key] or keep(by_arp, key, of_arp(key))
  elseif kind == 2 then
    local has_addresses = frame.link == "ethernet"
    local known = sub(key, 1, has_addresses and 16 or 4)
    if sub(frame.content, 1, 2) == STP and sub(key, 3, 4) == "\0\0" then
      local ends = by_other[known .. STP]
      if not ends then
        ends = keep(by_other, known .. STP, of_other(known, has_addresses))
        ends.protocol = "STP"
      end
      return ends
    end
    return by_other[known] or keep(by_other, known, of_other(known, has_addresses))
  end
  return nil
end

return M
