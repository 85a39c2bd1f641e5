--- Large send offload and receive coalescing: frames cut from a larger one, and frames built from smaller ones.
--
-- Sources: Linux Documentation/networking/segmentation-offloads.rst; Microsoft, "Offloading the Segmentation of Large
-- TCP Packets" and "Overview of Receive Segment Coalescing".

local identity, tcp, limits = ...

local abs, sub = math.abs, string.sub
local minus, options_size = tcp.minus, identity.tcp_options_size

local WRAP = 2 ^ 32
local LEAST_PARTS = 2

local M = {}

--- Whether a packet is larger than what Ethernet carries.
function M.is_large(packet)
  return packet.protocol == 6 and tcp.is_large(packet)
end

--- The segments of one capture.
-- @param store the packets
-- @return table: note, find, overlaps
function M.new(store)
  -- By flow and IP ID, and by flow and sequence number: the packet that came last; by flow: its large frames, in a
  -- ring.
  local by_ident, old_by_ident, by_seq, old_by_seq, count = {}, {}, {}, {}, 0
  local cuts, part = {}, {} -- part: a TCP header

  local function forget()
    old_by_ident, by_ident, old_by_seq, by_seq, count = by_ident, {}, by_seq, {}, 0
  end

  -- Remembers a packet that others may be parts of.
  local function note_whole(packet, segment)
    local large = packet.flow.large
    if not large then
      large = { last = 0 }
      packet.flow.large = large
    end
    large.last = large.last % limits.large + 1
    large[large.last] = {
      id = packet.id,
      seq = segment.seq,
      size = segment.size,
      ack = segment.ack,
      ident = packet.ident,
      cut = {},
    }
  end

  -- Whether a packet, though Ethernet carries it, may have been built from several: this is the first of them, at a hop
  -- that did not show it.
  local function is_built(wider, packet)
    return wider.flow == packet.flow
      and wider.size > packet.size
      and not M.is_large(wider)
      and not wider.node.counts[packet.node.hop]
  end

  --- Remembers a new packet with TCP data, a SYN or a FIN, or a pure ACK with an IP ID.
  function cuts.note(packet, segment)
    local flow = packet.flow
    if count >= limits.packets then
      forget()
    end
    count = count + 1
    if packet.ident > 0 then
      by_ident[flow.id * 65536 + packet.ident] = packet.id
    end
    if segment.size == 0 and segment.flags % 4 == 0 then
      return
    end
    local place = flow.id * WRAP + segment.seq
    local wider = store.get(by_seq[place] or old_by_seq[place] or 0)
    by_seq[place] = packet.id
    if wider and is_built(wider, packet) and tcp.read(wider, part) then
      note_whole(wider, part)
    end
    if M.is_large(packet) then
      note_whole(packet, segment)
    end
  end

  -- Whether the data of a segment is what its place in a larger one holds, as far as both were captured.
  local function has_same_data(large, small, offset)
    local header = options_size(large)
    if header ~= options_size(small) then
      return false
    end
    local content = small.content
    local inside = sub(large.content, header + offset + 1, header + offset + #content - header)
    return inside == sub(content, header + 1, header + #inside)
  end

  -- Whether a frame has the IP ID that the segment at an offset of a large frame gets.
  local function counts_on(entry, frame, offset, size)
    local ahead = (frame.ident - entry.ident) % 65536
    if ahead == 0 or offset == 0 then
      return ahead == offset
    end
    local each = offset / ahead
    return ahead <= limits.segment_idents and each % 1 == 0 and each >= size
  end

  -- Without IP IDs: in order, with the timestamp of the large frame or, where it has none, soon.
  local function comes_next(entry, packet, frame, offset)
    local cut, sent = entry.cut[frame.hop], identity.tcp_timestamp(packet)
    if packet.node.counts[frame.hop] and (packet.node.hop ~= frame.hop or next(entry.cut) and not cut) then
      return false -- this hop shows it whole
    elseif cut and offset < cut or sent ~= identity.tcp_timestamp(frame) then
      return false
    end
    local is_soon = abs(frame.time - packet.last_time) <= limits.same_hop_soon
    return sent ~= nil or is_soon or not packet.node.counts[frame.hop]
  end

  -- One of the last large frames of a flow, if it holds the data of a segment.
  -- @param back 1: the last one, 2: the one before it ...
  -- @return what was noted of the large frame, its packet, at which byte of its data the segment begins; or nil
  local function holder(flow, segment, back)
    local large = flow.large
    local entry = large[(large.last - back) % limits.large + 1]
    local packet, offset = entry and store.get(entry.id), entry and minus(segment.seq, entry.seq)
    if packet and offset >= 0 and offset + segment.size <= entry.size then
      return entry, packet, offset
    end
    return nil
  end

  -- The large frame that a segment was cut from.
  local function whole(flow, frame, segment)
    for back = 1, flow.large and limits.large or 0 do
      local entry, packet, offset = holder(flow, segment, back)
      if
        entry
        and segment.size < entry.size
        and entry.ack == segment.ack
        and abs(frame.time - packet.last_time) <= limits.window
      then
        local fits
        if entry.ident > 0 or frame.ident > 0 then
          fits = counts_on(entry, frame, offset, segment.size)
        else
          fits = comes_next(entry, packet, frame, offset)
        end
        if fits and has_same_data(packet, frame, offset) then
          return packet, entry, offset + segment.size
        end
      end
    end
    return nil
  end

  -- The first of the smaller frames that a larger one was built from, where all are known: without IP IDs, nothing else
  -- tells.
  local function parts(flow, frame, segment)
    local seq, left, first, last, number = segment.seq, segment.size, nil, nil, 0
    while left > 0 do
      local place = flow.id * WRAP + seq
      local packet = store.get(by_seq[place] or old_by_seq[place] or 0)
      if not packet or packet.flow ~= flow or not tcp.read(packet, part) or part.seq ~= seq then
        return nil
      end
      local gap = frame.time - packet.last_time
      if gap < 0 or gap > limits.window or part.size == 0 or part.size > left then
        return nil
      end
      first, last = first or packet, packet
      seq, left, number = (seq + part.size) % WRAP, left - part.size, number + 1
    end
    local sent = identity.tcp_timestamp(frame)
    if number < LEAST_PARTS or sent ~= identity.tcp_timestamp(last) then
      return nil
    elseif not sent and last.node.counts[frame.hop] and frame.time - last.last_time > limits.same_hop_soon then
      return nil
    end
    return first
  end

  local other = {} -- a TCP header

  -- The packet with the same IP ID and sequence number, but another length; or of pure ACKs, another acknowledgement.
  local function same_ident(flow, frame, segment)
    local which = flow.id * 65536 + frame.ident
    local packet = store.get(by_ident[which] or old_by_ident[which] or 0)
    if
      not packet
      or packet.flow ~= flow
      or packet.ident ~= frame.ident
      or abs(frame.time - packet.last_time) > limits.window
      or not tcp.read(packet, other)
      or other.seq ~= segment.seq
    then
      return nil
    elseif other.size == segment.size then
      local is_ack = segment.size == 0 and minus(segment.ack, other.ack) > 0
      return is_ack and not packet.node.counts[frame.hop] and packet or nil
    elseif other.size == 0 or segment.size == 0 then
      return nil
    end
    return has_same_data(packet, frame, 0) and packet or nil
  end

  --- The packet that a frame is a part of, or was built from.
  -- @param frame, segment  as `frame.read` and `tcp.read` give them
  -- @return the packet, or nil; whether the frame is a part of it; what `mark_cut` takes
  function cuts.find(flow, frame, segment)
    local same = frame.ident > 0 and same_ident(flow, frame, segment)
    if same then
      return same, segment.size < other.size
    elseif segment.size == 0 then
      return nil
    end
    local packet, entry, cut = whole(flow, frame, segment)
    if packet then
      return packet, true, entry, cut
    elseif frame.ident == 0 and tcp.is_large(frame) then
      return parts(flow, frame, segment), false
    end
    return nil
  end

  --- Notes how much of a large frame a hop has shown cut.
  function cuts.mark_cut(entry, hop, cut)
    entry.cut[hop] = cut
  end

  -- Whether a frame may be one of those that a large frame was built from: at a hop that did not show that. Only the
  -- first has its IP ID, and their sizes and acknowledgements differ.
  local function may_be_built_from(entry, packet, frame)
    local ahead = (frame.ident - entry.ident) % 65536
    return not packet.node.counts[frame.hop] and ahead <= limits.segment_idents and (ahead > 0 or entry.ident == 0)
  end

  -- Whether a frame is no part of a large frame that it lies in, by its IP ID or its timestamp: parts have that of the
  -- large frame, and what this was built from has none after it.
  local function is_no_part(entry, packet, frame, offset, size)
    if entry.ident > 0 and frame.ident > 0 then
      return not counts_on(entry, frame, offset, size)
    end
    local sent, sent_again = identity.tcp_timestamp(packet), identity.tcp_timestamp(frame)
    return sent ~= nil and sent_again ~= nil and minus(sent_again, sent) > 0
  end

  --- Whether a frame lies in a large frame that is still on its way, so that it may be a part of that after all.
  function cuts.may_be_part(flow, frame, segment)
    if segment.size == 0 then
      return false -- a FIN without data follows the large frame
    end
    for back = 1, flow.large and limits.large or 0 do
      local entry, packet, offset = holder(flow, segment, back)
      if entry and frame.time - packet.last_time <= limits.window then
        local is_other = is_no_part(entry, packet, frame, offset, segment.size)
        if not is_other and entry.ack == segment.ack or may_be_built_from(entry, packet, frame) then
          return true
        end
      end
    end
    return false
  end

  --- Whether a hop has shown a large frame that holds the data of a segment.
  function cuts.was_in_large(flow, segment, hop)
    for back = 1, flow.large and limits.large or 0 do
      local entry, packet = holder(flow, segment, back)
      if entry and packet.node.counts[hop] then
        return true
      end
    end
    return false
  end

  --- The packet that carried data, a SYN or a FIN with this sequence number last.
  function cuts.carrier(flow, segment)
    local place = flow.id * WRAP + segment.seq
    local packet = store.get(by_seq[place] or old_by_seq[place] or 0)
    return packet and packet.flow == flow and packet or nil
  end

  return cuts
end

return M
