--- Finds data that TCP has sent before: follows each flow by its packets, each once, however many hops showed it.
--
-- The result equals Wireshark's TCP analysis of a capture made at one hop.
-- Sources: RFC 9293 3.4; Wireshark's epan/dissectors/packet-tcp.c (what it calls a retransmission).

local frame_of, identity, limits = ...

local byte, max, min = string.byte, math.max, math.min
local layout = frame_of.layout
local tcp_size = identity.tcp_size

local WRAP, HALF = 2 ^ 32, 2 ^ 31
local FIN, SYN, RST, ACK = 1, 2, 4, 16
local OPTIONS = 3 -- where the options start, in what follows the checksum
local NO_OPERATION, SACK = 1, 5 -- kinds of options

local LARGE = 1500 -- bytes behind the link header: what no Ethernet carries must be cut, or was built

local M = {}

-- a - b of sequence numbers, from -2^31 up.
local function minus(a, b)
  return (a - b + HALF) % WRAP - HALF
end
M.minus = minus

local function number(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

--- Whether a frame or a packet is larger than what Ethernet carries.
function M.is_large(what)
  return what.size + (byte(what.key) == 4 and 20 or 40) > LARGE
end

--- Reads the TCP header of a frame or a packet.
-- @param into gets seq, ack, flags, size (bytes of data on the wire) and is_large
-- @return whether it is there: a fragment has none, and it may be cut
function M.read(what, into)
  local key = what.key
  local at = layout(key).rest
  if not what.has_transport or what.protocol ~= 6 or #key < at + 11 then
    return false
  end
  into.seq, into.ack, into.flags, into.size = number(key, at), number(key, at + 4), byte(key, at + 9), tcp_size(what)
  into.is_large = M.is_large(what)
  return true
end

--- Whether a frame of TCP is a reset, whose numbers may be 0.
function M.is_reset(frame)
  local flags = byte(frame.key, layout(frame.key).rest + 9)
  return flags ~= nil and flags % 8 >= RST
end

-- How many sequence numbers a segment takes.
local function length_of(segment)
  local flags = segment.flags
  return segment.size + (flags % 4 >= SYN and 1 or 0) + (flags % 2 == FIN and 1 or 0)
end

--- Whether a flow has carried what a new packet holds.
-- @param segment as `read` fills it
-- @param sent    what `note` keeps of the flow, or nil
-- @param time    of the frame
-- @return true or false; what was missing there, where it lies behind newer data: a table with `packet`, the id of that
function M.is_sent_before(segment, sent, time)
  local flags, seq = segment.flags, segment.seq
  local length = length_of(segment)
  if not sent or length == 0 or flags % 8 >= RST then
    return false
  elseif flags % 4 >= SYN then
    return seq == sent.start and not sent.is_reset
  elseif time < sent.latest - limits.window then
    return false -- the file runs back: as where a capture was appended to itself
  end
  local ahead = minus(seq, sent.next)
  if ahead >= 0 or ahead == -1 and flags % 2 ~= FIN then
    return false -- new, or a keep-alive, or what looks whether a window has opened
  elseif -ahead > limits.flight then
    return false -- of another flow with the same ends: of another tenant, or a connection whose SYN was not seen
  end
  local after = seq + length
  for at = 1, #sent.holes do
    local hole = sent.holes[at]
    if minus(seq, hole.from) >= 0 and minus(after, hole.to) <= 0 then
      return false, hole
    elseif segment.is_large and minus(seq, hole.to) < 0 and minus(after, hole.from) > 0 then
      return false -- a large frame may stand behind some of its segments
    end
  end
  return true
end

-- Where the data ends that an ACK reports behind a hole (RFC 2018); nil if it reports none. Blocks before the ACK
-- report data that came twice (RFC 2883).
local function end_of_holes(what, ack)
  local content, at = what.content, OPTIONS
  local stop = min(identity.tcp_options_size(what), #content)
  while at < stop do
    local kind, size = byte(content, at, at + 1)
    if kind == NO_OPERATION then
      at = at + 1
    elseif not size or kind == 0 or size < 2 then
      return nil
    elseif kind == SACK then
      local last = nil
      for edge = at + 2, at + size - 8, 8 do
        local left = edge + 3 <= #content and number(content, edge) or ack
        if minus(left, ack) > 0 then
          local right = edge + 7 <= #content and number(content, edge + 4) or (left + limits.flight) % WRAP
          last = last and minus(last, right) > 0 and last or right
        end
      end
      return last
    else
      at = at + size
    end
  end
  return nil
end

--- Notes what a packet acknowledges.
-- @param acks what is kept of its flow so far, or nil
-- @param is_sure whether it is surely another packet than the one before
-- @return what is kept now: ack, time, dups (pure ACKs that repeat it), holes_end (where the data ends that came behind
--   it); may_be_dups and last_time, with those that may be sightings
function M.note_ack(what, segment, acks, time, is_sure)
  if segment.flags % 32 < ACK or segment.flags % 8 >= SYN or not (acks or is_sure) then
    return acks
  end
  acks = acks or { ack = false, dups = 0, may_be_dups = 0, time = 0, last_time = 0, holes_end = false }
  local is_pure = segment.size == 0 and segment.flags % 2 ~= FIN
  if not is_sure then
    if is_pure and segment.ack == acks.ack then
      acks.may_be_dups, acks.last_time = acks.may_be_dups + 1, time
    end
    return acks
  elseif segment.ack ~= acks.ack then
    acks.dups, acks.may_be_dups = 0, 0
  elseif is_pure then
    acks.dups, acks.may_be_dups = acks.dups + 1, acks.may_be_dups + 1
  end
  acks.ack, acks.time, acks.last_time = segment.ack, time, time
  acks.holes_end = is_pure and end_of_holes(what, segment.ack) or nil
  return acks
end

--- Whether the other end has asked for what a segment holds, since some time: by duplicate or selective ACKs.
-- @param acks what `note_ack` keeps of the flow the other way, or nil
-- @return whether it has; whether it may have, as some ACKs may be duplicate ACKs or sightings
function M.is_asked_for(segment, acks, since)
  if not acks or acks.last_time <= since then
    return false, false
  end
  local ahead = minus(segment.seq, acks.ack)
  local is_new = acks.time > since
  if is_new and acks.holes_end and ahead >= 0 and minus(segment.seq, acks.holes_end) < 0 then
    return true, true
  end
  local may_be = ahead == 0 and acks.may_be_dups >= limits.duplicate_acks
  return may_be and is_new and acks.dups >= limits.duplicate_acks, may_be
end

-- Takes a range out of the holes.
local function fill(holes, seq, after)
  for at = #holes, 1, -1 do
    local hole = holes[at]
    if minus(after, hole.from) > 0 and minus(seq, hole.to) < 0 then
      local rest = { from = after % WRAP, to = hole.to, packet = hole.packet }
      if minus(seq, hole.from) > 0 then
        hole.to = seq
      else
        table.remove(holes, at)
      end
      if minus(rest.to, rest.from) > 0 and #holes < limits.holes then
        table.insert(holes, at, rest)
      end
    end
  end
end

--- Notes a new packet.
-- @param sent what is kept of its flow so far, or nil
-- @param back the same of the flow the other way, or nil
-- @return what is kept now, or nil if there is nothing to keep
function M.note(segment, sent, back, time, packet)
  local length, seq, flags = length_of(segment), segment.seq, segment.flags
  if length == 0 or flags % 8 >= RST then
    if sent and flags % 8 >= RST then
      sent.is_reset = true -- what it sends from now on is of another connection: a scanner begins each alike
    end
    if sent and back and not sent.round_trip and sent.syn_time and back.syn_time and flags % 4 < SYN then
      sent.round_trip = time - min(sent.syn_time, back.syn_time)
      back.round_trip = sent.round_trip
    end
    return sent
  end
  local after = (seq + length) % WRAP
  local is_syn = flags % 4 >= SYN
  if not sent or is_syn and (seq ~= sent.start or sent.is_reset) then -- the first segment, or a new connection
    -- What lies before the first segment of a capture was not seen.
    local holes = is_syn and {} or { { from = (seq - HALF / 2) % WRAP, to = seq, packet = packet } }
    local syn_time = is_syn and time or false
    return {
      start = seq, next = after, holes = holes, latest = time, syn_time = syn_time, round_trip = false,
      is_reset = false,
    }
  end
  sent.latest = max(sent.latest, time)
  local ahead = minus(seq, sent.next)
  if ahead < 0 then
    fill(sent.holes, seq, seq + length)
  elseif ahead > 0 then
    table.insert(sent.holes, 1, { from = sent.next, to = seq, packet = packet })
    sent.holes[limits.holes + 1] = nil
  end
  if minus(after, sent.next) > 0 then
    sent.next = after
  end
  return sent
end

return M
