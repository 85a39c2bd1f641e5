--- What makes a packet itself: the bytes that no hop of a host may change, apart from those that one may.
--
-- A key holds the network and transport headers without TTL or hop limit and without the checksums that
-- NICs fill in (offload), and, but for TCP, the first bytes of what follows. Two frames with the same key
-- and the same content are the same packet, or the same bytes sent twice: `packets` decides which.
-- Sources: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443, RFC 9260, RFC 826.

local link, tunnel = ...

local byte, sub, char = string.byte, string.sub, string.char
local min, floor = math.min, math.floor

-- How keys begin, so that no two kinds are ever equal; those of IP go on with the protocol.
local ARP, OTHER, UNKNOWN_LINK = "\1", "\2", "\3"
local IPV4, IPV6 = {}, {}
for number = 0, 255 do
  IPV4[number], IPV6[number] = "\4" .. char(number), "\6" .. char(number)
end

-- Where a transport header holds its checksum: of 16 bits, but 32 for SCTP.
local TCP, SCTP = 6, 132
local CHECKSUM_AT = { [TCP] = 16, [17] = 6, [1] = 2, [58] = 2, [SCTP] = 8, [33] = 6, [136] = 6 }

-- Protocols that may hold a packet inside: IP in IP, UDP, IPv6 in IP, GRE.
local TUNNELS = { [4] = true, [17] = true, [41] = true, [47] = true }
local MOST_TUNNELS = 4

local HEAD = 10 -- where, in a key, the addresses start

-- IPv6 extension headers: hop-by-hop, routing, fragment, destination options, mobility, HIP, shim6.
local FRAGMENT = 44
local EXTENSION = { [0] = true, [43] = true, [FRAGMENT] = true, [60] = true, [135] = true, [139] = true, [140] = true }
local MOST_EXTENSIONS = 16

local M = {}

local NOT_CAPTURED = 0.5 -- stands for a checksum that the capture cut off

-- Key and content of an IP packet. This runs for every frame: it makes no string that it does not need, and
-- for IPv4 none of over 40 bytes but the content, as Lua keeps shorter ones in a pool.
-- @param start     how the key starts
-- @param head      the network header up to, and without, the hop limit
-- @param rest      index from which on the network header counts again: its addresses
-- @param transport index of the transport header
-- @param protocol  of the transport header; nil inside a fragment, where none stands
-- @param last      index of the packet's last captured byte
local function transport_key(buf, start, head, rest, transport, protocol, last, span)
  local checksum_at = CHECKSUM_AT[protocol]
  local payload, sum_at, checksum = transport, transport, 0
  if checksum_at then
    sum_at = transport + checksum_at
    payload = sum_at + 2
    if protocol == SCTP then
      payload = sum_at + 4
    end
    if payload > last + 1 then
      checksum = NOT_CAPTURED
    else
      local high, low, more_high, more_low = byte(buf, sum_at, payload - 1)
      checksum = high * 256 + low
      if more_low then
        checksum = (checksum + more_high * 256 + more_low) % 65536
      end
    end
  end
  if sum_at > last + 1 then
    sum_at = last + 1
  end
  local content = sub(buf, payload, last)
  if protocol == TCP then -- the sequence number tells enough
    return start .. head .. sub(buf, rest, sum_at - 1), content, checksum, span
  end
  return start .. head .. sub(buf, rest, sum_at - 1) .. sub(content, 1, span), content, checksum, #content
end

-- Both bytes of a length that large send offload has left 0 (LSOv2).
local function length_bytes(length)
  return char(floor(length / 256) % 256, length % 256)
end

-- @param size bytes of the packet on the wire, as far as the frame's length tells
local function ipv4(buf, at, stop, cut, span, size)
  local first, _, length2, length1, _, _, fragment2, fragment1, ttl, protocol, checksum2, checksum1 =
    byte(buf, at, at + 11)
  if at + 19 > stop or first < 0x45 or first > 0x4f then
    return nil
  end
  local header = first % 16 * 4
  local length, last = length2 * 256 + length1, stop
  local head = sub(buf, at + 1, at + 7)
  if length >= header then
    last = at + length - 1
    cut = last > stop
    if cut then
      last = stop
    end
  elseif length == 0 then
    head = sub(buf, at + 1, at + 1) .. length_bytes(size) .. sub(buf, at + 4, at + 7)
  end
  local whole = fragment2 % 32 == 0 and fragment1 == 0
  if TUNNELS[protocol] and whole then
    local l3, ethertype = tunnel.network(protocol, buf, at + header, last)
    if l3 then
      return nil, l3, ethertype, last
    end
  end
  local key, content, checksum, room =
    transport_key(buf, IPV4[protocol], head, at + 12, at + header, whole and protocol, last, span)
  local soft = ttl * 4294967296 + (checksum2 * 256 + checksum1) * 65536 + checksum
  return key, content, soft, room, cut, whole and HEAD + header - 12
end

local function ipv6(buf, at, stop, cut, span, size)
  local first, _, _, _, length2, length1, protocol, hop_limit = byte(buf, at, at + 7)
  if at + 39 > stop or first < 0x60 or first > 0x6f then
    return nil
  end
  local length, last = length2 * 256 + length1, stop
  local head = sub(buf, at, at + 6)
  if length > 0 then
    last = at + 39 + length
    cut = last > stop
    if cut then
      last = stop
    end
  else
    head = sub(buf, at, at + 3) .. length_bytes(size - 40) .. sub(buf, at + 6, at + 6)
  end
  local transport, whole = at + 40, true
  for _ = 1, MOST_EXTENSIONS do
    if not EXTENSION[protocol] or transport + 7 > last then
      break
    end
    local next_header, units, offset2, offset1 = byte(buf, transport, transport + 3)
    if protocol == FRAGMENT then
      protocol, transport = next_header, transport + 8
      if offset2 > 0 or offset1 >= 8 then
        whole = false
        break
      end
    else
      protocol, transport = next_header, transport + 8 * (units + 1)
    end
  end
  if TUNNELS[protocol] and whole then
    local l3, ethertype = tunnel.network(protocol, buf, transport, last)
    if l3 then
      return nil, l3, ethertype, last
    end
  end
  local key, content, checksum, room =
    transport_key(buf, IPV6[protocol], head, at + 8, transport, whole and protocol, last, span)
  return key, content, hop_limit * 4294967296 + checksum, room, cut, whole and HEAD + transport - at - 8
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

--- Reads a frame.
-- @param kind   its link header, as `link.network` takes it
-- @param buf    a string that holds the frame
-- @param at     the index of the frame's first byte in it
-- @param stop   the index of its last captured byte
-- @param length its length on the wire, in bytes
-- @param span   how many bytes of the content the key holds
-- @return key      string
-- @return content  string: everything behind the transport checksum, as far as captured
-- @return soft     number: TTL or hop limit * 2^32 + IP checksum * 2^16 + transport checksum; no whole number where
--   that checksum was not captured
-- @return room     how many bytes of content a key could hold
-- @return cut      whether content is missing from the capture
-- @return l3       index of the network header, or nil where the link header is not understood
-- @return transport index, in the key, of the transport header; nil or false where none is known to be there
-- @return form     what stands around the packet besides its link header: "tunnel", or "wifi" where an Ethernet
--   interface holds an 802.11 frame; nil: nothing
function M.read(kind, buf, at, stop, length, span)
  local l3, ethertype, form = link.network(kind, buf, at, stop)
  local cut = stop - at + 1 < length
  if not l3 then
    local content = sub(buf, at, stop)
    return UNKNOWN_LINK .. number(length) .. sub(content, 1, span), content, 0, #content, cut, nil
  end
  local last = stop
  for _ = 1, MOST_TUNNELS do
    local read = ethertype == link.IPV4 and ipv4 or ethertype == link.IPV6 and ipv6
    if not read then
      break
    end
    local key, content, soft, room, ip_cut, transport = read(buf, l3, last, cut, span, length - (l3 - at))
    if key then
      return key, content, soft, room, ip_cut, l3, transport, form
    elseif not content then
      break
    end
    l3, ethertype, last, form = content, soft, room, "tunnel" -- the packet inside
  end
  if ethertype == link.ARP then
    return ARP .. sub(buf, l3, min(l3 + 27, stop)), "", 0, span, false, l3, nil, form
  end
  local size = ""
  if ethertype == link.LLC then
    local high, low = byte(buf, l3 - 2, l3 - 1)
    last = min(last, l3 + high * 256 + low - 1)
  end
  local content = sub(buf, l3, last)
  if length <= 64 then
    content = without_padding(content) -- the wire pads a frame to 60 bytes, 64 with its FCS
  else
    size = number(length - (l3 - at))
  end
  local addresses = kind == "ethernet" and not form and sub(buf, at, at + 11) or ""
  local head = OTHER .. number(ethertype) .. addresses .. size
  return head .. sub(content, 1, span), content, 0, #content, cut, l3, nil, form
end

return M
