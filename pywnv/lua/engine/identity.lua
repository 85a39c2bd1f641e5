--- Identity: what the sender of a packet counts, or chooses at random, for each one it sends.
--
-- Sources: RFC 6864 (IP ID, also of fragments), RFC 8200 4.5 (fragments), RFC 7323 (TCP timestamps), RFC 792,
-- RFC 4443 (echo), RFC 4303 (ESP), RFC 1035 4.1.1 (DNS), RFC 3550 5.1 (RTP); of timers: RFC 826, RFC 4861, RFC 6762,
-- RFC 4795, RFC 2131.

local frame_of, limits = ...

local byte, floor, min, sub = string.byte, math.floor, math.min, string.sub
local layout = frame_of.layout

local ICMP, TCP, UDP, ESP, ICMPV6 = 1, 6, 17, 50, 58
local FIN, RST = 1, 4
local ECHO = { [ICMP] = { [8] = true, [0] = true }, [ICMPV6] = { [128] = true, [129] = true } }
local TIMED_ICMPV6 = { first = 133, last = 137 } -- router and neighbour discovery
local TIMED_PORTS = {} -- DHCP, DHCPv6, mDNS, LLMNR
for _, port in ipairs({ 67, 68, 546, 547, 5353, 5355 }) do
  TIMED_PORTS[port] = true
end
local DNS = 53
local ARP, ARP_SENDER, ARP_TARGET = 1, 16, 26 -- how its key begins; where IP addresses stand in it
local TIMESTAMPS, NO_OPERATION = 8, 1 -- kinds of TCP options
local OPTIONS = 3 -- where the options start, in what follows the checksum
local LEAST_ESP = 16 -- bytes: identifier, sequence number, and something
local PROFINET = "\0\136\146" -- EtherType 0x8892 in the key
local LEAST_RTP = 12 -- bytes: its header

local WEAK, STRONG, PROOF = 0, 1, 2

local M = {
  WEAK = WEAK, -- equal bytes may have been sent twice
  STRONG = STRONG, -- not within a moment
  PROOF = PROOF, -- not before the sender would wait for an answer in vain
}

--- Bytes of data in a TCP segment, on the wire; 0 if its header was cut.
-- @param what a frame or a packet
function M.tcp_size(what)
  local key = what.key
  local offset = byte(key, layout(key).rest + 8)
  if not offset then
    return 0
  end
  local size = what.size - floor(offset / 16) * 4
  return size > 0 and size or 0
end

--- Bytes of content before the data of a TCP segment.
function M.tcp_options_size(what)
  local key = what.key
  return floor((byte(key, layout(key).rest + 8) or 80) / 16) * 4 - 18
end

-- Whether the IP ID of a new packet tells it from the others of its sender. A sender that gave it to another packet
-- lately gives it to all (scanners do), or to all of a flow, or has gone round.
local function ident_tells(what, flow)
  local ident, idents = what.ident, flow.sender.idents
  if flow.last_ident == ident then
    return false
  end
  for at = 1, #idents do
    if idents[at] == ident then
      return false
    end
  end
  return true
end

-- Whether a packet is a fragment of IPv4 behind the first: all of one packet have its IP ID, and no other one's have.
local function is_later_fragment(what)
  local version, _, _, _, _, high, low = byte(what.key, 1, 7)
  return version == 4 and not what.has_transport and (high % 32 > 0 or low > 0)
end

--- Notes the IP ID of a new packet.
function M.note_ident(packet, flow)
  if is_later_fragment(packet) then
    return
  end
  local sender = flow.sender
  local at = sender.next
  local last = flow.last_ident
  flow.last_ident = packet.ident
  if last and (packet.ident - last) % 65536 <= limits.idents_ahead then
    flow.counted = flow.counted + 1
  elseif last then
    flow.drawn = flow.drawn + 1
  end
  flow.is_changing = flow.is_changing or last ~= false and last ~= packet.ident
  sender.is_changing = sender.is_changing or at > 1 and sender.idents[1] ~= packet.ident
  sender.idents[at] = packet.ident
  sender.next = at % limits.idents_of_sender + 1
end

--- Whether the IP IDs of a flow count up: its packets' order of sending shows in them.
function M.is_counting(flow)
  return flow.counted >= limits.counted * flow.drawn
end

--- When a TCP segment was sent, by its sender's clock (RFC 7323); nil if it does not say.
function M.tcp_timestamp(what)
  local content, at = what.content, OPTIONS
  local stop = min(M.tcp_options_size(what), #content)
  while at < stop do
    local kind, size, a, b, c, d = byte(content, at, at + 5)
    if kind == TIMESTAMPS then
      return d and ((a * 256 + b) * 256 + c) * 256 + d
    elseif kind == NO_OPERATION then
      at = at + 1
    elseif kind == 0 or not size or size < 2 then
      return nil
    else
      at = at + size
    end
  end
  return nil
end

local function of_tcp(what)
  local key = what.key
  local flags = byte(key, layout(key).rest + 9)
  if not flags or flags % 8 >= RST then
    return WEAK
  elseif M.tcp_size(what) > 1 then -- one byte probes a window, or keeps a connection alive
    return M.tcp_timestamp(what) and PROOF or STRONG
  end
  return flags % 4 >= FIN and STRONG or WEAK
end

-- Whether the bytes of a payload look random: many different ones, many different steps from one to the next, and
-- not all of them letters.
local function is_random(payload)
  local have = min(#payload, limits.random_most)
  if have < limits.random_least then
    return false
  end
  local values, steps, different, different_steps, high, last = {}, {}, 0, 0, 0, 0
  for at = 1, have do
    local value = byte(payload, at)
    local step = (value - last) % 256
    last = value
    if not values[value] then
      values[value], different = true, different + 1
    end
    if not steps[step] then
      steps[step], different_steps = true, different_steps + 1
    end
    high = value >= 128 and high + 1 or high
  end
  local least = limits.random_share * 256 * (1 - (255 / 256) ^ have)
  return different >= least and different_steps >= least and high >= have / 4
end

-- A DNS message with one question has an identifier chosen at random.
local function is_name_query(content)
  local id_high, id_low, flags, _, questions_high, questions = byte(content, 1, 6)
  return questions ~= nil and id_high + id_low > 0 and flags % 128 < 8 and questions_high == 0 and questions == 1
end

-- Of version 2, and none of the types that RTCP has.
local function is_rtp(content)
  local version, kind = byte(content, 1, 2)
  return #content >= LEAST_RTP and floor(version / 64) == 2 and (kind % 128 < 64 or kind % 128 > 95)
end

-- Whether the packets of a flow were seen to differ, so that what is chosen at random is drawn for each.
function M.is_varying(flow)
  return flow.number >= limits.varying and flow.repeats * limits.varying_share <= flow.number
end

local function of_udp(what, flow)
  local key, content = what.key, what.content
  local at = layout(key).ports
  local high, low, to_high, to_low = byte(key, at, at + 3)
  if not to_low then
    return WEAK
  end
  local source, target = high * 256 + low, to_high * 256 + to_low
  if TIMED_PORTS[source] or TIMED_PORTS[target] then
    return STRONG
  end
  if (source == DNS or target == DNS) and is_name_query(content) then
    return PROOF
  elseif is_rtp(content) and M.is_varying(flow) then
    return PROOF
  end
  return not is_random(content) and WEAK or M.is_varying(flow) and PROOF or STRONG
end

local function of_echo(what, flow)
  local kind = byte(what.key, layout(what.key).rest)
  if not ECHO[what.protocol][kind or -1] then
    local is_timed = what.protocol == ICMPV6 and kind and kind >= TIMED_ICMPV6.first and kind <= TIMED_ICMPV6.last
    return is_timed and STRONG or WEAK
  elseif flow.number - flow.repeats < 2 then
    local is_to_group = byte(what.key, layout(what.key).target) >= (byte(what.key, 1) == 4 and 224 or 255)
    return (flow.repeats > 0 or is_to_group) and WEAK or STRONG -- floods send the same again and again
  end
  return M.is_varying(flow) and PROOF or STRONG
end

-- ARP asks and answers by a timer; but what a host tells of itself, it may tell several times at once (RFC 5227).
local function is_arp_question(key)
  return byte(key, 1) == ARP and sub(key, ARP_SENDER, ARP_SENDER + 3) ~= sub(key, ARP_TARGET, ARP_TARGET + 3)
end

--- How much tells a packet from others if its IP ID does not: WEAK, STRONG or PROOF.
function M.without_ident(what, flow)
  local protocol = what.protocol
  if not what.has_transport then
    if byte(what.key, 1) == 6 then
      return PROOF -- a fragment, with the number of its packet
    end
    if sub(what.key, 2, 4) == PROFINET then -- its cycle counter goes round once in two seconds
      return flow.number - flow.repeats >= limits.varying and flow.repeats * 4 <= flow.number and PROOF or WEAK
    end
    return is_arp_question(what.key) and STRONG or WEAK
  elseif protocol == TCP then
    return of_tcp(what)
  elseif protocol == UDP then
    return of_udp(what, flow)
  elseif protocol == ICMP or protocol == ICMPV6 then
    return of_echo(what, flow)
  elseif protocol == ESP then
    return #what.content >= LEAST_ESP and PROOF or WEAK
  end
  return WEAK
end

--- How much the identity of a new packet tells: ask once, before `note_ident`.
-- @param what the packet
-- @param flow its flow
-- @return WEAK, STRONG or PROOF
function M.strength(what, flow)
  if what.ident > 0 and (is_later_fragment(what) or ident_tells(what, flow)) then
    return PROOF
  elseif what.ident > 0 and what.protocol == TCP and M.tcp_size(what) == 0 then
    return WEAK -- scanners give all their probes one IP ID, and send some twice
  end
  return M.without_ident(what, flow)
end

--- Whether a packet holds so much that looks random that hardly anybody sends it twice: QUIC, for one.
function M.is_large_random(packet)
  return packet.strength > WEAK and packet.protocol == UDP and #packet.content >= limits.random_large
end

--- How much it tells that a frame has the bytes of a packet.
function M.of_pair(packet, frame)
  local outer = frame.outer_ident
  if outer and outer > 0 and outer == packet.outer_ident and frame.outer_ends == packet.outer_ends then
    return PROOF
  end
  return packet.strength
end

--- Whether that identifies a STRONG packet at one place: a payload that was chosen at random once may be sent again and
-- again.
function M.is_asked_for(packet)
  return packet.protocol ~= UDP or M.is_timed(packet) or is_name_query(packet.content)
end

--- Whether a packet is of a protocol that sends by a timer: not twice at once, but soon after.
function M.is_timed(what)
  local key, protocol = what.key, what.protocol
  if byte(key, 1) == ARP then
    return true
  elseif protocol == ICMPV6 then
    local kind = byte(key, layout(key).rest) or 0
    return kind >= TIMED_ICMPV6.first and kind <= TIMED_ICMPV6.last
  elseif protocol ~= UDP then
    return false
  end
  local at = layout(key).ports
  local high, low, to_high, to_low = byte(key, at, at + 3)
  return to_low ~= nil and (TIMED_PORTS[high * 256 + low] or TIMED_PORTS[to_high * 256 + to_low]) == true
end

return M
