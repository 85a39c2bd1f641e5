--- Follows TCP flows, by the packets that are new: what was sent before.
--
-- Says what Wireshark's TCP analysis says of a capture made at one hop, where it is asked of frames.
-- Sources: RFC 9293; Wireshark's epan/dissectors/packet-tcp.c (what it calls a retransmission).

local proof = ...

local byte, floor, max, min, sub = string.byte, math.floor, math.max, math.min, string.sub

local WRAP, HALF = 2 ^ 32, 2 ^ 31
local FIN, SYN, RST, ACK = 1, 2, 4, 16
local OPTIONS = 3 -- where the options start, in what follows the checksum
local NO_OPERATION, SACK, LEAST_SACK = 1, 5, 10 -- kinds of options; bytes of the smallest SACK
local MOST_FLOWS = 8192 -- each way counts; then the older half is forgotten
local MOST_HOLES = 16 -- in what a hop has seen of a flow
local FAST = 0.02 -- seconds after duplicate ACKs in which what they ask for is sent again
local REORDERED = 0.003 -- seconds in which a segment may be overtaken, where no round trip is known
local LEAST_DUPLICATE_ACKS = 2
local SLOW_HANDSHAKE = 4 -- times that its packets, the first of a flow, may take as long as later ones

local M = {}

-- a - b of sequence numbers, from -2^31 up (RFC 9293 3.4).
local function minus(a, b)
  return (a - b + HALF) % WRAP - HALF
end

local function number(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

--- The flows of one capture.
-- @return table: read, see, may_be_sent_again, undo
function M.new()
  local young, old, count = {}, {}, 0
  local last_id = 0
  local flows = {}

  -- The last `see`, so that it can be undone.
  local undo_flow, undo_ack, undo_ack_time, undo_dups, undo_window, undo_hole
  local undo_seen, undo_start, undo_next, undo_time, undo_holes
  local undo_last, undo_last_key, undo_other

  local function new_flow()
    last_id = last_id + 1
    return { id = last_id, seen = {}, dups = 0 }
  end

  local function flow_of(key, transport)
    local name = sub(key, 10, transport + 3)
    local flow = young[name]
    if flow then
      return flow
    end
    flow = old[name]
    local size = byte(key, 1) == 4 and 4 or 16
    local back = sub(name, size + 1, 2 * size) .. sub(name, 1, size) .. sub(name, 2 * size + 1, -5) .. sub(name, -2) ..
      sub(name, -4, -3)
    if not flow then
      flow = new_flow()
      flow.back = name == back and flow or new_flow()
      flow.back.back = flow
    end
    if count >= MOST_FLOWS then
      old, young, count = young, {}, 0
    end
    young[name], young[back] = flow, flow.back
    count = count + 2
    return flow
  end

  --- Reads the TCP header in a key, into `flows`: flow, seq, ack, flags, window; options and size (of the data on the
  -- wire) in bytes.
  -- @return whether it is there: a fragment has none
  function flows.read(key, transport)
    if not transport then
      return false
    end
    local offset, flags, high, low = byte(key, transport + 12, transport + 15)
    if not low then
      return false
    end
    flows.flags, flows.window = flags, high * 256 + low
    flows.options = floor(offset / 16) * 4 - 20
    flows.size = max(proof.rest_size(key, transport) - floor(offset / 16) * 4, 0)
    flows.seq, flows.ack = number(key, transport + 4), number(key, transport + 8)
    flows.flow = flow_of(key, transport)
    return true
  end

  -- Takes a range out of the holes; whether it lay inside one.
  local function fill(seen, seq, after)
    local holes = seen.holes
    for at = 1, #holes do
      local from, to = holes[at][1], holes[at][2]
      if minus(seq, from) >= 0 and minus(after, to) <= 0 then
        local rest = {} -- a new list: the old one stands as it is, to be brought back
        for other = 1, #holes do
          if other ~= at then
            rest[#rest + 1] = holes[other]
          end
        end
        if minus(seq, from) > 0 then
          rest[#rest + 1] = { from, seq }
        end
        if minus(to, after) > 0 then
          rest[#rest + 1] = { after, to }
        end
        seen.holes = rest
        return true
      end
    end
    return false
  end

  local function leave_hole(seen, from, to)
    local holes = { { from, to } }
    for at = 1, min(#seen.holes, MOST_HOLES - 1) do
      holes[at + 1] = seen.holes[at]
    end
    seen.holes = holes
  end

  local function is_sent_again(seen, flow, time, seq, after)
    if not fill(seen, seq, after) then
      return true
    end
    -- Not seen here, but it may have been lost on its way to here.
    local back = flow.back
    if back.dups >= LEAST_DUPLICATE_ACKS and back.ack == seq and time - back.ack_time < FAST then
      return true
    end
    return time - seen.time >= (flow.round_trip or REORDERED)
  end

  -- Sequence numbers, for a segment with data, SYN or FIN.
  local function advance(seen, flow, time, seq, flags, size)
    local has_syn = flags % 4 >= SYN
    local after = seq + size + (has_syn and 1 or 0) + (flags % 2 == FIN and 1 or 0)
    after = after % WRAP
    local ahead = seen.next and minus(seq, seen.next)
    if not ahead or has_syn and seq ~= seen.start then -- the first segment, or a new connection
      seen.start, seen.next, seen.time, seen.holes = seq, after, time, {}
      return false
    end
    local is_probe = ahead == -1 and size <= 1 and not has_syn and flags % 2 ~= FIN
    if is_probe then
      return false -- a keep-alive, or what looks whether a window has opened
    end
    local again = ahead < 0 and not (ahead == -1 and size > 1) and is_sent_again(seen, flow, time, seq, after)
    if ahead > 0 then
      leave_hole(seen, seen.next, seq)
    end
    if minus(after, seen.next) > 0 then
      seen.next, seen.time = after, time
    end
    return again
  end

  -- Whether an ACK tells of data behind a hole: selective acknowledgement (RFC 2018), but of data that came twice (RFC
  -- 2883).
  local function has_hole(content)
    local at, stop = OPTIONS, OPTIONS + flows.options - 1
    while at < stop do
      local kind, size = byte(content, at, at + 1)
      if kind == NO_OPERATION then
        at = at + 1
      elseif not size or kind == 0 or size < 2 then
        return false
      elseif kind == SACK then
        for edge = at + 2, at + size - 8, 8 do
          if edge + 3 <= #content and minus(number(content, edge), flows.ack) > 0 then
            return true
          end
        end
        return false
      else
        at = at + size
      end
    end
    return false
  end

  -- Notes what an end has acknowledged, whether it did so again and again, and how long the first answer took.
  local function acknowledge(flow, time, occupies, content)
    local ack, window, syn_time = flows.ack, flows.window, flow.syn_time
    if ack ~= flow.ack then
      flow.dups = 0
    elseif not occupies and flow.window == window then
      flow.dups = flow.dups + 1
    end
    if not flow.round_trip and syn_time and flow.back.syn_time and flows.flags % 4 < SYN then
      flow.round_trip = time - min(syn_time, flow.back.syn_time)
      flow.back.round_trip = flow.round_trip
    end
    local back = flow.back
    local timed = back.timed
    if timed and minus(ack, timed) >= 0 then
      local took = time - back.timed_at
      back.answer = back.answer and min(back.answer, took) or took
      back.timed = nil
    end
    flow.ack, flow.ack_time = ack, time
    if not occupies then
      flow.hole = flows.options >= LEAST_SACK and has_hole(content)
    end
  end

  -- Lets the next ACK tell how soon data is answered: not of data sent again, as it may be of the first (RFC 6298).
  local function await_answer(flow, time, is_again)
    if is_again then
      flow.timed = nil
    elseif not flow.timed then
      flow.timed, flow.timed_at = (flows.seq + flows.size) % WRAP, time
    end
  end

  --- Takes what `read` has read as a new packet, first seen at a hop.
  -- @param content what follows the checksum
  -- @return whether its data was sent before
  function flows.see(hop, time, content)
    local flow, flags, size = flows.flow, flows.flags, flows.size
    local seen = flow.seen[hop]
    if not seen then
      seen = { holes = {} }
      flow.seen[hop] = seen
    end
    undo_flow, undo_ack, undo_ack_time, undo_dups, undo_window = flow, flow.ack, flow.ack_time, flow.dups, flow.window
    undo_hole = flow.hole
    undo_seen, undo_start, undo_next, undo_time, undo_holes = seen, seen.start, seen.next, seen.time, seen.holes
    undo_last, undo_last_key, undo_other = flow.last, flow.last_key, flow.other
    if flags % 8 >= RST then
      return false
    end
    local occupies = size > 0 or flags % 4 > 0
    if flags % 32 >= ACK then
      acknowledge(flow, time, occupies, content)
    end
    flow.window = flows.window
    if flags % 4 >= SYN then
      flow.syn_time = time
    end
    local is_again = occupies and advance(seen, flow, time, flows.seq, flags, size)
    if size > 0 then
      await_answer(flow, time, is_again)
    end
    return is_again
  end

  --- Notes the packet that `see` has taken.
  -- @param id, key of it
  -- @return the packet that came last before it in its flow, or nil; the last with other bytes, or nil
  function flows.follow(id, key)
    local flow = flows.flow
    local last = flow.last
    if flow.last_key ~= key then
      flow.other = last
    end
    flow.last, flow.last_key = id, key
    return last, flow.other
  end

  --- Whether a packet may have been sent again since it was last seen. Within much less than a round trip no end can
  -- have noticed a loss. After that, duplicate or selective ACKs ask for what it carries, or for older data, with which
  -- all that is missing behind is sent again (RFC 6675); an ACK of all before it, or a round trip, only let it be.
  -- @param gap seconds since then
  -- @return whether it may; whether it was asked for
  function flows.may_be_sent_again(key, transport, since, gap)
    if not flows.read(key, transport) or flows.flags % 4 >= SYN then -- a SYN waits for much longer
      return false
    end
    local flow = flows.flow
    local back, trip = flow.back, flow.round_trip
    local least = trip or flow.answer -- at the end that answers, this is far less than a round trip
    if least and gap < least / SLOW_HANDSHAKE then
      return false
    end
    local is_new_ack = back.ack and back.ack_time > since
    local behind = is_new_ack and minus(flows.seq, back.ack)
    local is_asked_for = is_new_ack and (back.dups > 0 or back.hole) and behind >= 0
    return is_asked_for or trip ~= nil and (behind == 0 or gap >= trip), is_asked_for
  end

  --- Takes back the last `see`.
  function flows.undo()
    local flow, seen = undo_flow, undo_seen
    flow.ack, flow.ack_time, flow.dups = undo_ack, undo_ack_time, undo_dups
    flow.window, flow.hole = undo_window, undo_hole
    seen.start, seen.next, seen.time, seen.holes = undo_start, undo_next, undo_time, undo_holes
    flow.last, flow.last_key, flow.other = undo_last, undo_last_key, undo_other
  end

  return flows
end

return M
