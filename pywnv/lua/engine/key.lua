--- Keys: the bytes of a packet that no hop of a host changes, as text.

local byte, sub = string.byte, string.sub
local min = math.min

-- Where a transport header holds its checksum: of 16 bits, but 32 for SCTP.
local ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
local CHECKSUM_AT = { [TCP] = 16, [UDP] = 6, [ICMP] = 2, [ICMPV6] = 2, [SCTP] = 8, [33] = 6, [136] = 6 }
-- Of a transport header with ports, how many bytes go into a key. 33: DCCP, 136: UDP-Lite.
local KEPT_HEADER = { [TCP] = 16, [UDP] = 4, [SCTP] = 8, [33] = 4, [136] = 4 }
local ECHO_ASKS = { [ICMP] = 8, [ICMPV6] = 128 }
local ECHO_ANSWERS = { [ICMP] = 0, [ICMPV6] = 129 }
local NO_PORTS = "\0\0\0\0"
local NOT_CAPTURED = 0.5 -- stands for a checksum that the capture cut off

local M = {}

local function big16(buf, at)
  local high, low = byte(buf, at, at + 1)
  return high * 256 + low
end

--- The checksum of a transport header, as `mutable` takes it.
function M.checksum(buf, at, protocol, last)
  local sum_at = CHECKSUM_AT[protocol]
  if not sum_at then
    return 0
  end
  sum_at = at + sum_at
  if protocol == SCTP then
    return sum_at + 3 > last and NOT_CAPTURED or (big16(buf, sum_at) + big16(buf, sum_at + 2)) % 65536
  end
  return sum_at + 1 > last and NOT_CAPTURED or big16(buf, sum_at)
end

-- What stands for the ports of a packet without such, what else of its header goes into the key, and where its content
-- starts.
local function portless(buf, at, protocol, last)
  local sum_at = CHECKSUM_AT[protocol]
  if not sum_at then
    return NO_PORTS, "", at
  end
  local kind = byte(buf, at)
  if at + 5 <= last and kind == ECHO_ASKS[protocol] then
    return sub(buf, at + 4, at + 5) .. "\0\0", sub(buf, at, at + 1), at + 6
  elseif at + 5 <= last and kind == ECHO_ANSWERS[protocol] then
    return "\0\0" .. sub(buf, at + 4, at + 5), sub(buf, at, at + 1), at + 6
  end
  return NO_PORTS, sub(buf, at, min(at + sum_at - 1, last)), at + sum_at + 2
end

--- Puts a key together. This runs for every frame, so it makes no string that it does not need, and for IPv4 none of
-- over 40 bytes but the content, as Lua keeps strings of up to 40 bytes in a pool.
-- @param start, middle, protocol_byte  how the key begins
-- @param addresses index of the addresses, which end before `addresses_end`
-- @param at        index of the transport header
-- @param protocol  of it; false inside a fragment, where none stands
-- @param last      index of the packet's last captured byte
function M.set(frame, start, middle, protocol_byte, addresses, addresses_end, at, protocol, last, span)
  local buf = frame.buf
  local size = KEPT_HEADER[protocol]
  if not size or at + 3 > last then
    local ports, kept, payload = portless(buf, at, protocol, last)
    local content = sub(buf, payload, last)
    frame.key = start .. middle .. protocol_byte .. sub(buf, addresses, addresses_end - 1) .. ports .. kept ..
      sub(content, 1, span)
    frame.content, frame.room = content, #content
    return
  end
  local stop = at + size - 1
  if stop > last then
    stop = last
  end
  local main
  if addresses_end == at then
    main = sub(buf, addresses, stop)
  else
    main = sub(buf, addresses, addresses_end - 1) .. sub(buf, at, stop)
  end
  local content = sub(buf, at + CHECKSUM_AT[protocol] + (protocol == SCTP and 4 or 2), last)
  frame.content = content
  if protocol == TCP then -- the sequence number tells enough
    frame.key, frame.room = start .. middle .. protocol_byte .. main, nil
  else
    frame.key, frame.room = start .. middle .. protocol_byte .. main .. sub(content, 1, span), #content
  end
end

return M
