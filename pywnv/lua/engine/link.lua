--- Finds the network-layer header of a frame, whatever link header stands before it.
--
-- Sources: IEEE 802.3, 802.1Q, 802.1ad; IEEE 802.11-2020 section 9.2; RFC 1042 (SNAP); RFC 2516 (PPPoE);
-- RFC 3032 (MPLS), RFC 4385, RFC 4448 (Ethernet over MPLS);
-- tcpdump.org LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2, LINKTYPE_NULL; radiotap.org.

local byte, floor, sub = string.byte, math.floor, string.sub

local IPV4, IPV6, ARP = 0x0800, 0x86dd, 0x0806
local PPPOE, MPLS, MPLS_MULTICAST = 0x8864, 0x8847, 0x8848
local PPP_IPV4, PPP_IPV6 = 0x0021, 0x0057
local MOST_LABELS = 8
local LLC = 0 -- an 802.3 frame whose payload starts with an LLC header that is not SNAP

local M = { IPV4 = IPV4, IPV6 = IPV6, ARP = ARP, LLC = LLC }

local function is_tag(ethertype)
  return ethertype == 0x8100 or ethertype == 0x88a8 or ethertype == 0x9100
end

-- Past any VLAN tags: `at` is the index behind an EtherType field.
local function past_tags(buf, at, stop, ethertype)
  while is_tag(ethertype) and at + 3 <= stop do
    local high, low = byte(buf, at + 2, at + 3)
    ethertype = high * 256 + low
    at = at + 4
  end
  return at, ethertype
end

-- LLC/SNAP with an EtherType (RFC 1042), as 802.11 and 802.3 with a length field carry it.
local function past_snap(buf, at, stop)
  local dsap, ssap, control, oui1, oui2, oui3, high, low = byte(buf, at, at + 7)
  if at + 7 <= stop and dsap == 0xaa and ssap == 0xaa and control == 3 and oui1 + oui2 + oui3 == 0 then
    return past_tags(buf, at + 8, stop, high * 256 + low)
  end
  return nil
end

local function ip_version(buf, at)
  local first = byte(buf, at)
  if not first then
    return nil
  end
  if first >= 0x40 and first < 0x50 then
    return at, IPV4
  elseif first >= 0x60 and first < 0x70 then
    return at, IPV6
  end
  return nil
end

local readers = {}

-- Where the LLC header of an 802.11 data frame starts; nil for a frame of another kind. The Protected bit does not
-- count: Windows leaves it set on what it has decrypted, and what is still encrypted shows no LLC header.
local function past_wifi(buf, at)
  local control, flags = byte(buf, at, at + 1)
  if not flags or floor(control / 4) % 4 ~= 2 then
    return nil
  end
  local subtype = floor(control / 16)
  if subtype % 8 >= 4 then
    return nil -- a data subtype without data
  end
  local llc = at + 24
  if flags % 4 == 3 then
    llc = llc + 6 -- four addresses
  end
  if subtype >= 8 then
    llc = llc + 2 -- QoS control
    if flags >= 128 then
      llc = llc + 4 -- HT control
    end
  end
  return llc
end

local function is_known(ethertype)
  return ethertype == IPV4 or ethertype == IPV6 or ethertype == ARP
end

-- An 802.11 data frame whose LLC/SNAP header names a protocol that the engine reads.
local function known_wifi(buf, at, stop)
  local llc = past_wifi(buf, at)
  if llc then
    local l3, ethertype = past_snap(buf, llc, stop)
    if l3 and is_known(ethertype) then
      return l3, ethertype
    end
  end
  return nil
end

-- An IP packet without a link header, of exactly the frame's length, as tcpip.sys logs what it drops.
local function whole_ip(buf, at, length)
  local l3, ethertype = ip_version(buf, at)
  if not l3 then
    return nil
  end
  local b3, b4, b5, b6 = byte(buf, at + 2, at + 5)
  if ethertype == IPV4 and b3 and b3 * 256 + b4 == length or b6 and b5 * 256 + b6 + 40 == length then
    return l3, ethertype
  end
  return nil
end

-- What carries a packet inside Ethernet, by its EtherType: functions of the index behind that; nil if no packet that
-- is known lies behind.
local carriers = {}

carriers[PPPOE] = function(buf, at, stop)
  local high, low = byte(buf, at + 6, at + 7)
  if at + 8 > stop then
    return nil
  end
  local protocol = high * 256 + low
  local ethertype = protocol == PPP_IPV4 and IPV4 or protocol == PPP_IPV6 and IPV6
  if ethertype then
    return at + 8, ethertype
  end
  return nil
end

-- No label says what it carries: that shows in what follows.
carriers[MPLS] = function(buf, at, stop)
  for _ = 1, MOST_LABELS do
    local bottom = byte(buf, at + 2)
    at = at + 4
    if at > stop then
      return nil
    elseif bottom % 2 == 1 then
      local l3, ethertype = ip_version(buf, at)
      if l3 then
        return l3, ethertype
      end
      for control = 4, 0, -4 do -- Ethernet, with a control word or without
        l3, ethertype = readers.ethernet(buf, at + control, stop)
        if l3 and is_known(ethertype) and l3 <= stop then
          return l3, ethertype, "tunnel"
        end
      end
      return nil
    end
  end
  return nil
end
carriers[MPLS_MULTICAST] = carriers[MPLS]

-- pktmon writes 802.11 frames, and IP packets without a link header, into Ethernet interfaces.
local function foreign_in_ethernet(buf, at, stop, first, length)
  if first % 16 == 8 then
    local l3, ethertype = known_wifi(buf, at, stop)
    if l3 then
      return l3, ethertype, "wifi"
    end
  end
  if first >= 0x45 and first < 0x70 then
    local l3, ethertype = whole_ip(buf, at, length)
    if l3 then
      return l3, ethertype, "raw"
    end
  end
  return nil
end

function readers.ethernet(buf, at, stop, length)
  local first = byte(buf, at)
  local high, low = byte(buf, at + 12, at + 13)
  if not low then
    return nil
  end
  local ethertype = high * 256 + low
  if length and not is_known(ethertype) then
    local l3, inner, form = foreign_in_ethernet(buf, at, stop, first, length)
    if l3 then
      return l3, inner, form
    end
  end
  local l3
  l3, ethertype = past_tags(buf, at + 14, stop, ethertype)
  if l3 and ethertype < 0x0600 then
    local snap, inner = past_snap(buf, l3, stop)
    if snap then
      return snap, inner
    end
    return l3, LLC
  end
  local carrier = carriers[ethertype]
  if carrier then
    local inner_l3, inner, form = carrier(buf, l3, stop)
    if inner_l3 then
      return inner_l3, inner, form
    end
  end
  return l3, ethertype
end

function readers.sll(buf, at, stop)
  local high, low = byte(buf, at + 14, at + 15)
  if not low then
    return nil
  end
  return past_tags(buf, at + 16, stop, high * 256 + low)
end

function readers.sll2(buf, at, stop)
  local high, low = byte(buf, at, at + 1)
  if not low then
    return nil
  end
  return past_tags(buf, at + 20, stop, high * 256 + low)
end

readers.raw = ip_version

function readers.null(buf, at)
  return ip_version(buf, at + 4)
end

-- pktmon calls Ethernet frames "WiFi" at the lower edges of some drivers.
function readers.wifi(buf, at, stop)
  local l3, ethertype = known_wifi(buf, at, stop)
  if l3 then
    return l3, ethertype
  end
  l3, ethertype = readers.ethernet(buf, at, stop)
  local version = l3 and floor((byte(buf, l3) or 0) / 16)
  if l3 and (ethertype == ARP or ethertype == IPV4 and version == 4 or ethertype == IPV6 and version == 6) then
    return l3, ethertype, "ethernet"
  end
  local llc = past_wifi(buf, at)
  if llc then
    return past_snap(buf, llc, stop)
  end
  return nil
end

function readers.radiotap(buf, at, stop)
  local low, high = byte(buf, at + 2, at + 3)
  if not high then
    return nil
  end
  return readers.wifi(buf, at + high * 256 + low, stop)
end

--- The VLAN tags of an Ethernet header, as a string.
function M.tags(header)
  local at, high, low = 13, byte(header, 13, 14)
  while low and is_tag(high * 256 + low) do
    at = at + 4
    high, low = byte(header, at, at + 1)
  end
  return sub(header, 13, at - 1)
end

--- The index of the network-layer header, and its EtherType.
-- @param kind the link header: ethernet, sll, sll2, raw, null, wifi, radiotap; others are not read
-- @param buf  a string that holds the frame
-- @param at   the index of the frame's first byte in it
-- @param stop the index of its last byte
-- @param length bytes of the frame on the wire; nil: only what the kind says is looked for
-- @return index and EtherType (LLC for 802.3 without SNAP), or nil if the header is cut or unknown; then, where the
--   bytes are of another kind than the interface's, that: "wifi", "ethernet", "raw", or "tunnel" where MPLS carries
--   Ethernet
function M.network(kind, buf, at, stop, length)
  local read = readers[kind]
  if not read then
    return nil
  end
  local l3, ethertype, form = read(buf, at, stop, length)
  -- The readers look ahead freely: what they read counts only if it lay inside the frame.
  if l3 and l3 <= stop then
    return l3, ethertype, form
  end
  return nil
end

return M
