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

local function big16(buf, at)
  local high, low = byte(buf, at, at + 1)
  return high * 256 + low
end

local NOT_CAPTURED = 0.5 -- stands for a checksum that the capture cut off

-- Reads the key and the content of an IP packet. This runs for every frame: it makes no string that it does not need,
-- and for IPv4 none of over 40 bytes but the content, as Lua keeps shorter ones in a pool.
-- @param start     how the key starts
-- @param head      the network header up to, and without, the hop limit
-- @param rest      index from which on the network header counts again: its addresses
-- @param transport index of the transport header
-- @param protocol  of the transport header; false inside a fragment, where none stands
-- @param last      index of the packet's last captured byte
-- @return the transport checksum, as `soft` takes it
local function read_transport(frame, start, head, rest, transport, protocol, last, span)
  local buf = frame.buf
  local checksum_at = CHECKSUM_AT[protocol]
  local payload, sum_at, checksum = transport, transport, 0
  if checksum_at then
    sum_at = transport + checksum_at
    payload = sum_at + (protocol == SCTP and 4 or 2)
    if payload > last + 1 then
      checksum = NOT_CAPTURED
    else
      checksum = big16(buf, sum_at)
      if protocol == SCTP then
        checksum = (checksum + big16(buf, sum_at + 2)) % 65536
      end
    end
  end
  if sum_at > last + 1 then
    sum_at = last + 1
  end
  local content = sub(buf, payload, last)
  frame.content = content
  if protocol == TCP then -- the sequence number tells enough
    frame.key, frame.room = start .. head .. sub(buf, rest, sum_at - 1), span
  else
    frame.key, frame.room = start .. head .. sub(buf, rest, sum_at - 1) .. sub(content, 1, span), #content
  end
  return checksum
end

-- Both bytes of a length that large send offload has left 0 (LSOv2).
local function length_bytes(length)
  return char(floor(length / 256) % 256, length % 256)
end

-- Whether an IPv4 packet is no fragment.
local function is_whole(buf, at)
  return big16(buf, at + 6) % 8192 == 0
end

-- Reads an IPv4 packet.
-- @param at   index of its header
-- @param last index of the last captured byte that may be its own
-- @param size bytes of the packet on the wire, as far as the frame's length tells
-- @return whether it is one; of a packet inside: the index of its network header, its EtherType, its last byte
local function ipv4(frame, at, last, span, size)
  local buf = frame.buf
  local first = byte(buf, at)
  if at + 19 > last or first < 0x45 or first > 0x4f then
    return false
  end
  local header, length, cut = first % 16 * 4, big16(buf, at + 2), frame.cut
  local head
  if length == 0 then
    head = sub(buf, at + 1, at + 1) .. length_bytes(size) .. sub(buf, at + 4, at + 7)
  else
    head = sub(buf, at + 1, at + 7)
  end
  if length >= header then
    cut = at + length - 1 > last
    last = min(at + length - 1, last)
  end
  local protocol, whole = byte(buf, at + 9), is_whole(buf, at)
  if TUNNELS[protocol] and whole then
    local l3, ethertype = tunnel.network(protocol, buf, at + header, last)
    if l3 then
      return true, l3, ethertype, last
    end
  end
  local checksum =
    read_transport(frame, IPV4[protocol], head, at + 12, at + header, whole and protocol, last, span)
  frame.soft = byte(buf, at + 8) * 4294967296 + big16(buf, at + 10) * 65536 + checksum
  frame.transport, frame.cut = whole and HEAD + header - 12, cut
  return true
end

-- The same of IPv6.
local function ipv6(frame, at, last, span, size)
  local buf = frame.buf
  local first = byte(buf, at)
  if at + 39 > last or first < 0x60 or first > 0x6f then
    return false
  end
  local length, cut = big16(buf, at + 4), frame.cut
  local head
  if length > 0 then
    head = sub(buf, at, at + 6)
    cut = at + 39 + length > last
    last = min(at + 39 + length, last)
  else
    head = sub(buf, at, at + 3) .. length_bytes(size - 40) .. sub(buf, at + 6, at + 6)
  end
  local protocol, transport, whole = byte(buf, at + 6), at + 40, true
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
      return true, l3, ethertype, last
    end
  end
  local checksum = read_transport(frame, IPV6[protocol], head, at + 8, transport, whole and protocol, last, span)
  frame.soft = byte(buf, at + 7) * 4294967296 + checksum
  frame.transport, frame.cut = whole and HEAD + transport - at - 8, cut
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

-- Reads what is no IP packet, from its network header on.
local function read_other(frame, l3, ethertype, last, span)
  local buf, at, length = frame.buf, frame.at, frame.length
  if ethertype == link.ARP then
    frame.key, frame.content, frame.room = ARP .. sub(buf, l3, min(l3 + 27, frame.stop)), "", span
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
  local addresses = frame.kind == "ethernet" and not frame.form and sub(buf, at, at + 11) or ""
  frame.key = OTHER .. number(ethertype) .. addresses .. size .. sub(content, 1, span)
  frame.content, frame.room = content, #content
end

-- Reads what stands behind the link header.
local function read_network(frame, l3, ethertype, span)
  local last = frame.stop
  for _ = 1, MOST_TUNNELS do
    local read_ip = ethertype == link.IPV4 and ipv4 or ethertype == link.IPV6 and ipv6
    if not read_ip then
      break
    end
    local is_ip, inner, inner_ethertype, inner_last =
      read_ip(frame, l3, last, span, frame.length - (l3 - frame.at))
    if not is_ip then
      break
    elseif not inner then
      return l3
    end
    l3, ethertype, last, frame.form = inner, inner_ethertype, inner_last, "tunnel"
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
--   soft: TTL or hop limit * 2^32 + IP checksum * 2^16 + transport checksum; no whole number where that checksum was
--     not captured
--   room: how many bytes of content a key could hold
--   cut: whether content is missing from the capture
--   l3: index of the network header, or nil where the link header is not understood
--   header: string, the bytes before that
--   transport: index, in the key, of the transport header; nil or false where none is known to be there
--   form: what stands around the packet besides its link header: "tunnel", or "wifi" where an Ethernet interface holds
--     an 802.11 frame; nil: nothing
--   span: as below
-- @param span how many bytes of the content the key holds
function M.read(frame, span)
  local buf, at, stop = frame.buf, frame.at, frame.stop
  local l3, ethertype, form = link.network(frame.kind, buf, at, stop)
  frame.span, frame.form, frame.transport, frame.soft = span, form, nil, 0
  frame.cut = stop - at + 1 < frame.length
  if l3 then
    l3 = read_network(frame, l3, ethertype, span)
    frame.l3, frame.header = l3, sub(buf, at, l3 - 1)
  else
    local content = sub(buf, at, stop)
    frame.l3, frame.header, frame.content, frame.room = nil, "", content, #content
    frame.key = UNKNOWN_LINK .. number(frame.length) .. sub(content, 1, span)
  end
end

return M
