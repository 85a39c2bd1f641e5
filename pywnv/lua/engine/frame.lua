--- Reads a frame into what the rules ask for: a key, the content, and what a hop may change.
--
-- A key holds what no hop of a host changes: protocol, both ends, IP length, fragment bits, IP ID, and the first bytes
-- of what follows, without the checksums that NICs fill in. TTL, type of service, the DF bit and the link header are
-- set aside. Two frames with the same key and the same content are one packet, or the same bytes sent twice: the rules
-- decide which.
--
--   IPv4: "\4" length (2) IP ID (2) fragment (2) protocol, source (4) target (4) ports (2 * 2) rest
--   IPv6: "\6" length (2) protocol, source (16) target (16) ports (2 * 2) rest
--   rest of TCP: sequence and acknowledgement number, header length, flags, window; of others: the first bytes
--
-- The identifier of an ICMP echo stands for the port of who asks, as a NAT rewrites it like one.
-- Sources: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443, RFC 9260, RFC 826.

local link, tunnel, key = ...

local byte, sub, char = string.byte, string.sub, string.char
local min, floor = math.min, math.floor

-- How keys begin, so that no two kinds are ever equal.
local ARP, OTHER, UNKNOWN_LINK, IPV4, IPV6 = "\1", "\2", "\3", "\4", "\6"
local PROTOCOL, WHOLE = {}, {} -- the byte of a protocol; the same behind the fragment bits of a whole packet
for number = 0, 255 do
  PROTOCOL[number], WHOLE[number] = char(number), "\0\0" .. char(number)
end

local UDP = 17
-- Protocols that may hold a packet inside: IP in IP, UDP, IPv6 in IP, GRE.
local TUNNELS = { [4] = true, [UDP] = true, [41] = true, [47] = true }
local MOST_TUNNELS = 4

-- IPv6 extension headers: hop-by-hop, routing, fragment, destination options, mobility, HIP, shim6.
local FRAGMENT = 44
local EXTENSION = { [0] = true, [43] = true, [FRAGMENT] = true, [60] = true, [135] = true, [139] = true, [140] = true }
local MOST_EXTENSIONS = 16

-- Where things start in the keys of IP packets; `flow`: what is the same for all packets of a flow.
local M = {
  V4 = { length = 2, protocol = 8, flow = 8, source = 9, target = 13, ports = 17, rest = 21 },
  V6 = { length = 2, protocol = 4, flow = 4, source = 5, target = 21, ports = 37, rest = 41 },
}

local TTL = 4294967296 -- times this it stands in `mutable`

--- Where things start in the key of an IP packet: V4 or V6.
function M.layout(packet_key)
  return byte(packet_key, 1) == 4 and M.V4 or M.V6
end

local function big16(buf, at)
  local high, low = byte(buf, at, at + 1)
  return high * 256 + low
end

local function two_bytes(number)
  return char(floor(number / 256) % 256, number % 256)
end

-- Goes into a tunnel.
-- @return the index of the network header inside, of which the EtherType, and the last byte that may be its own, stand
--   in `inside`; nil if there is none
local inside = {}
local function enter_tunnel(frame, protocol, transport, last)
  local l3, ethertype, l2, vni = tunnel.network(protocol, frame.buf, transport, last)
  if not l3 then
    return nil
  end
  inside.ethertype, inside.last = ethertype, last
  frame.link, frame.l2, frame.vni = "tunnel", l2, vni or frame.vni
  inside.is_mirror = l2 and not vni -- which sends each sighting by itself
  return l3
end

-- Reads an IPv4 packet. It reads each byte where it is wanted: a tracing compiler gives up with more at hand than it
-- has registers.
-- @param at   index of its header
-- @param last index of the last captured byte that may be its own
-- @param size bytes of the packet on the wire, as far as the frame's length tells
-- @return whether it is one; the index of the header of a packet inside, which `inside` describes, or nil
local function ipv4(frame, at, last, span, size)
  local buf = frame.buf
  local first = byte(buf, at)
  if at + 19 > last or first < 0x45 or first > 0x4f then
    return false
  end
  local length = big16(buf, at + 2)
  local transport = at + first % 16 * 4
  local middle
  if length == 0 then -- large send offload (LSOv2) leaves it 0
    length = size
    middle = two_bytes(size) .. sub(buf, at + 4, at + 5)
  else
    middle = sub(buf, at + 2, at + 5)
    if at + length >= transport then
      local stop = at + length - 1
      frame.cut = stop > last
      last = min(stop, last)
    end
  end
  local flags, offset = byte(buf, at + 6, at + 7)
  local protocol = byte(buf, at + 9)
  local is_whole = flags % 64 == 0 and offset == 0
  if TUNNELS[protocol] and is_whole then
    local inner = enter_tunnel(frame, protocol, transport, last)
    if inner then
      if not frame.outer_ends then
        frame.outer_ident, frame.outer_ends = big16(buf, at + 4), sub(buf, at + 12, at + 19)
      end
      return true, inner
    end
  end
  frame.ident, frame.size = big16(buf, at + 4), length - (transport - at)
  frame.protocol, frame.has_transport = protocol, is_whole
  local checksum = is_whole and key.checksum(buf, transport, protocol, last) or 0
  frame.ttl = byte(buf, at + 8)
  frame.mutable = frame.ttl * TTL + big16(buf, at + 10) * 65536 + checksum
  local protocol_byte = is_whole and WHOLE[protocol] or char(flags % 64, offset, protocol)
  key.set(frame, IPV4, middle, protocol_byte, at + 12, at + 20, transport, is_whole and protocol, last, span)
  return true
end

-- The same of IPv6.
local function ipv6(frame, at, last, span, size)
  local buf = frame.buf
  local first = byte(buf, at)
  if at + 39 > last or first < 0x60 or first > 0x6f then
    return false
  end
  local length = big16(buf, at + 4)
  local middle
  if length > 0 then
    middle = sub(buf, at + 4, at + 5)
    frame.cut = at + 39 + length > last
    last = min(at + 39 + length, last)
  else
    middle = two_bytes(size - 40)
  end
  local protocol, transport, is_whole = byte(buf, at + 6), at + 40, true
  for _ = 1, MOST_EXTENSIONS do
    if not EXTENSION[protocol] or transport + 7 > last then
      break
    end
    local next_header, units, offset2, offset1 = byte(buf, transport, transport + 3)
    if protocol == FRAGMENT then
      protocol = next_header
      if offset2 > 0 or offset1 > 0 then
        is_whole = false -- and the offset, the IP ID and what follows are content
        break
      end
      transport = transport + 8
    else
      protocol, transport = next_header, transport + 8 * (units + 1)
    end
  end
  if TUNNELS[protocol] and is_whole then
    local inner = enter_tunnel(frame, protocol, transport, last)
    if inner then
      return true, inner
    end
  end
  local checksum = is_whole and key.checksum(buf, transport, protocol, last) or 0
  key.set(frame, IPV6, middle, PROTOCOL[protocol], at + 8, at + 40, transport, is_whole and protocol, last, span)
  frame.ttl = byte(buf, at + 7)
  frame.mutable = frame.ttl * TTL + checksum
  frame.size = (length > 0 and length + 40 or size) - (transport - at)
  frame.protocol, frame.has_transport = protocol, is_whole
  return true
end

local function without_padding(content)
  local last = #content
  while last > 0 and byte(content, last) == 0 do
    last = last - 1
  end
  return sub(content, 1, last)
end

local function number(value)
  return char(floor(value / 65536) % 256, floor(value / 256) % 256, value % 256)
end

-- Reads what is not an IP packet, from its network header on.
local function read_other(frame, l3, ethertype, last, span)
  local buf, at, length = frame.buf, frame.at, frame.length
  if ethertype == link.ARP then
    frame.key, frame.content, frame.room = ARP .. sub(buf, l3, min(l3 + 27, frame.stop)), "", nil
    frame.cut = false
    return
  end
  local size = ""
  local whole = length - (l3 - at)
  if ethertype == link.LLC then -- its length leaves out padding, and an FCS
    whole = min(whole, big16(buf, l3 - 2))
    last = min(last, l3 + whole - 1)
  end
  local content = sub(buf, l3, last)
  if length <= 64 then
    content = without_padding(content) -- the wire pads a frame to 60 bytes, 64 with its FCS
  else
    size = number(whole)
  end
  local addresses = frame.link == "ethernet" and sub(buf, at, at + 11) or ""
  frame.key = OTHER .. number(ethertype) .. addresses .. size .. sub(content, 1, span)
  frame.content, frame.room = content, #content
end

-- Reads what stands behind the link header.
-- @return the index of the innermost network header
local function read_network(frame, l3, ethertype, span)
  local last = frame.stop
  for _ = 1, MOST_TUNNELS do
    local is_ip, inner = false, nil
    if ethertype == link.IPV4 then
      is_ip, inner = ipv4(frame, l3, last, span, frame.length - (l3 - frame.at))
    elseif ethertype == link.IPV6 then
      is_ip, inner = ipv6(frame, l3, last, span, frame.length - (l3 - frame.at))
    end
    if not is_ip then
      break
    elseif not inner then
      return l3
    end
    l3, ethertype, last = inner, inside.ethertype, inside.last
    if inside.is_mirror then
      frame.outer_ident, frame.outer_ends = nil, nil
    end
  end
  read_other(frame, l3, ethertype, last, span)
  return l3
end

--- Reads a frame.
--
-- It is one table for all that look at it, not many values: a tracing compiler gives up where a way branches off with
-- more at hand than it has registers.
-- @param frame a table with kind, buf, at, stop and length as the engine takes them; gets
--   key: string
--   content: string, everything behind the transport checksum, as far as captured
--   mutable: TTL or hop limit * 2^32 + IP checksum * 2^16 + transport checksum; no whole number where that checksum was
--     not captured
--   ttl: TTL or hop limit, or 0
--   ident: the IP ID; 0 if there is none
--   protocol: of the transport header, or 0; has_transport: whether it is there (not in a fragment)
--   size: bytes on the wire from the transport header on, by the length in the network header
--   room: how many bytes of content a key could hold; nil if it holds none
--   cut: whether content is missing from the capture
--   link: what stands before the packet: the kind of its link header, "tunnel" (vni: its virtual network, or nil;
--     outer_ident: the IP ID of the outermost IPv4 header, or nil)
--   l3: index of the network header, or nil if the link header is not understood
--   l2: index of the innermost Ethernet header, or nil
--   header: string, the bytes before the network header
--   span: as below
-- @param span how many bytes of the content the key holds
function M.read(frame, span)
  local buf, at, stop, kind = frame.buf, frame.at, frame.stop, frame.kind
  local l3, ethertype, form
  if kind == "ethernet" and byte(buf, at + 12) == 8 and byte(buf, at + 13) == 0 and at + 14 <= stop then
    l3, ethertype = at + 14, link.IPV4 -- most frames
  else
    l3, ethertype, form = link.network(kind, buf, at, stop, frame.length)
  end
  frame.span, frame.link, frame.l2 = span, form or kind, nil
  frame.mutable, frame.ttl, frame.ident, frame.size, frame.protocol, frame.has_transport = 0, 0, 0, 0, 0, false
  frame.vni, frame.outer_ident, frame.outer_ends = nil, nil, nil
  frame.cut = stop - at + 1 < frame.length
  if l3 then
    if frame.link == "ethernet" then
      frame.l2 = at
    end
    l3 = read_network(frame, l3, ethertype, span)
    frame.l3, frame.header = l3, sub(buf, at, l3 - 1)
  else
    local content = sub(buf, at, stop)
    frame.l3, frame.header, frame.content, frame.room = nil, "", content, #content
    frame.key = UNKNOWN_LINK .. number(frame.length) .. sub(content, 1, span)
  end
end

return M
