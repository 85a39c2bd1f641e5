--- What the bytes of a packet prove: that it cannot be sent twice within a moment, or that two are not the same.

local byte, floor, min = string.byte, math.floor, math.min

local ICMP, TCP, UDP, ESP, ICMPV6 = 1, 6, 17, 50, 58
local ECHO = { [ICMP] = { [8] = true, [0] = true }, [ICMPV6] = { [128] = true, [129] = true } }

local DNS = 53
local LEAST_PAYLOAD, LEAST_DISTINCT = 160, 72 -- bytes of a datagram; text has fewer different ones
local LEAST_CAPTURED = 40 -- bytes of a datagram that was cut: traces of pktmon end at 128 of a frame
local MOST_OF_LOT = 0.75 -- of the different bytes that so many drawn by lot have; text and patterns have fewer
local LEAST_ESP = 16 -- bytes: identifier, sequence number, and something
local CHECKSUM = 65536

local M = {}

-- How many different bytes there are among the first of a payload; with `by` 1, different steps from byte to byte.
local function distinct(payload, have, by)
  local seen, count, last = {}, 0, 0
  for at = 1, have do
    local value = byte(payload, at)
    local step = (value - by * last) % 256
    last = value
    if not seen[step] then
      seen[step], count = true, count + 1
    end
  end
  return count
end

-- A long datagram whose bytes look drawn by lot has a number that counts, or was encrypted. A shorter one, and text,
-- may well be sent twice. Where the capture cut it, fewer bytes must do, of which few may repeat.
-- @param size bytes of it on the wire
local function is_varied(payload, size)
  local have = min(#payload, LEAST_PAYLOAD)
  if size < LEAST_PAYLOAD or have < LEAST_CAPTURED then
    return false
  end
  if have == LEAST_PAYLOAD then
    return distinct(payload, have, 0) >= LEAST_DISTINCT
  end
  local least = MOST_OF_LOT * 256 * (1 - (255 / 256) ^ have)
  return distinct(payload, have, 0) >= least and distinct(payload, have, 1) >= least
end

-- A DNS message with one question has an identifier drawn by lot, and is asked for again after seconds. Not so
-- multicast DNS. Source: RFC 1035 4.1.1.
local function is_name_query(key, content, transport)
  local high, low, to_high, to_low = byte(key, transport, transport + 3)
  if high ~= 0 or low ~= DNS then
    high, low = to_high, to_low
  end
  if high ~= 0 or low ~= DNS or #content <= 12 then
    return false
  end
  local id_high, id_low, flags, _, questions_high, questions = byte(content, 1, 6)
  return id_high + id_low > 0 and flags % 128 < 8 and questions_high == 0 and questions == 1
end

--- The IP ID that tells a packet from those before and after it; nil where it has none.
function M.ident(key)
  if byte(key, 1) ~= 4 then
    return nil
  end
  local high, low, flags, offset = byte(key, 6, 9)
  if flags % 64 > 0 or offset > 0 or high + low == 0 then -- fragments share one
    return nil
  end
  return high * 256 + low
end

--- Whether a packet has an IP ID or TCP data, as most have that cannot repeat.
function M.counts(key, transport)
  return M.ident(key) ~= nil or transport and byte(key, 2) == TCP and M.tcp_size(key, transport) > 1
end

--- Whether two packets with these bytes cannot come from one sender within a millisecond.
-- @param key, content, transport  as `key.read` gives them
-- @param steady whether the sender gives all packets the same IP ID, as scanners do
function M.is_unique(key, content, transport, steady)
  local version, protocol = byte(key, 1, 2)
  if version == 4 then
    local high, low = byte(key, 6, 7)
    if high + low > 0 and not steady then
      return true
    end
  elseif version ~= 6 then
    return false
  end
  if protocol == ESP then
    return #content >= LEAST_ESP
  elseif not transport then
    return false
  elseif protocol == TCP then
    local flags = byte(key, transport + 13)
    if not flags then
      return false
    end
    return flags % 4 > 0 and flags % 8 < 4 and not steady -- SYN, FIN, without RST
      or M.tcp_size(key, transport) > 1 -- one byte probes a window
  elseif protocol == UDP then
    return is_varied(content, M.rest_size(key, transport) - 8) or is_name_query(key, content, transport)
  end
  local echo = ECHO[protocol]
  return echo ~= nil and echo[byte(key, transport) or -1] == true
end

--- Bytes of a packet from its network header on, by the length in that.
function M.network_size(key)
  local is_v4 = byte(key, 1) == 4
  local high, low = byte(key, is_v4 and 4 or 7, is_v4 and 5 or 8)
  return high * 256 + low + (is_v4 and 0 or 40)
end

--- The same from the transport header on.
function M.rest_size(key, transport)
  return M.network_size(key) - transport + (byte(key, 1) == 4 and -2 or 2)
end

--- Bytes of content, as `key.read` gives it, before the data of a TCP segment.
function M.tcp_header_rest(key, transport)
  return floor((byte(key, transport + 12) or 80) / 16) * 4 - 18
end

--- Bytes of data in a TCP segment, on the wire; 0 where its header was cut.
function M.tcp_size(key, transport)
  local offset = byte(key, transport + 12)
  if not offset then
    return 0
  end
  local size = M.rest_size(key, transport) - floor(offset / 16) * 4
  return size > 0 and size or 0
end

-- The sum that stands in a checksum field until the NIC fills it in (pseudo-header, RFC 9293 3.1, RFC 8200 8.1), with
-- and without the length, which large send offload leaves out.
local function pseudo_sums(key, transport)
  local version, protocol = byte(key, 1, 2)
  local sum = protocol
  for at = 10, version == 4 and 16 or 40, 2 do
    local high, low = byte(key, at, at + 1)
    sum = sum + high * 256 + low
  end
  local with = sum + M.rest_size(key, transport)
  while with >= CHECKSUM do
    with = with % CHECKSUM + floor(with / CHECKSUM)
  end
  while sum >= CHECKSUM do
    sum = sum % CHECKSUM + floor(sum / CHECKSUM)
  end
  return with, sum
end

--- Whether two frames that are equal as far as captured differ behind that: both checksums are filled in, and differ.
-- @param soft, earlier  as `key.read` gives them
function M.differs_behind(key, transport, soft, earlier)
  local sum, earlier_sum = soft % CHECKSUM, earlier % CHECKSUM
  if not transport or sum == earlier_sum or sum == 0 or earlier_sum == 0 or sum % 1 > 0 or earlier_sum % 1 > 0 then
    return false
  end
  local with, without = pseudo_sums(key, transport)
  return sum ~= with and sum ~= without and earlier_sum ~= with and earlier_sum ~= without
end

return M
