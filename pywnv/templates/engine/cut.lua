--- Large send offload and receive coalescing: frames cut from a larger one, and frames built from smaller ones.
--
-- Sources: Linux Documentation/networking/segmentation-offloads.rst; Microsoft, "Offloading the Segmentation of Large
-- TCP Packets" and "Overview of Receive Segment Coalescing".

local proof = ...

local floor, sub = math.floor, string.sub

local WRAP = 2 ^ 32
local LARGE = 1500 -- bytes behind the link header: what no Ethernet carries must be cut, or was built
local MOST_LARGE = 64 -- of a flow, in a generation
local SAME_HOP = 1e-3 -- seconds in which one interface may show both
local LEAST_PARTS = 2

local M = {}

--- Whether a TCP segment is larger than what Ethernet carries.
function M.is_large(key)
  return proof.network_size(key) > LARGE
end

local is_large = M.is_large

--- Finds the other frames that a segment goes with.
-- @param slots  of packets: contents, keys, nodes, last_time, first_frame, by slot
-- @param window seconds
-- @param slot_of function: the slot of a packet that is still remembered, or nil
-- @return table: note, whole, repeated, parts, forget, undo
function M.new(slots, window, slot_of)
  local keys, contents, nodes, last_time = slots.keys, slots.contents, slots.nodes, slots.last_time
  -- By flow, large frames; by flow and sequence number, all: each of two generations.
  local large, old_large, parts, old_parts = {}, {}, {}, {}
  local undo_entry, undo_hop, undo_cut, undo_each
  local cuts = {}

  --- Remembers a new packet with TCP data.
  -- @param id   of the packet
  -- @param flows what `tcp` has read of it
  function cuts.note(id, flows, key)
    local flow, seq = flows.flow.id, flows.seq
    parts[flow * WRAP + seq] = id
    if not is_large(key) then
      return
    end
    local list = large[flow]
    if not list then
      list = { last = 0 }
      large[flow] = list
    end
    list.last = list.last % MOST_LARGE + 1
    list[list.last] =
      { id = id, key = key, seq = seq, size = flows.size, ident = proof.ident(key), ack = flows.ack, cut = {} }
  end

  -- Whether the IP IDs count on: each segment one more than the one before.
  local function counts_on(entry, ident, offset, size)
    if not entry.ident or not ident then
      return not entry.ident and not ident
    end
    local ahead = (ident - entry.ident) % 65536
    if entry.each then
      return ahead == floor(offset / entry.each)
    elseif offset == 0 or ahead == 0 then
      return offset == ahead
    end
    local each, is_last = offset / ahead, offset + size == entry.size -- which may be shorter
    return each == size or is_last and each > size and offset % ahead == 0
  end

  -- Whether a segment holds what its place in the large frame holds, as far as both were captured.
  local function same_data(slot, frame, offset)
    local content = frame.content
    local header = proof.tcp_header_rest(frame.key, frame.transport)
    if header ~= proof.tcp_header_rest(keys[slot], frame.transport) then
      return false
    end
    local inside = sub(contents[slot], header + offset + 1, header + offset + #content - header)
    return inside == sub(content, header + 1, header + #inside)
  end

  -- Whether a large frame's segment can be this one: at another hop, or cut and shown at the same one.
  local function is_cut_from(entry, slot, frame, flows, ident, offset)
    local hop, gap = frame.hop, frame.time - last_time[slot]
    local elsewhere = not nodes[slot].counts[hop]
    local soon = gap <= window and gap >= -window and (elsewhere or ident and gap >= 0 and gap <= SAME_HOP)
    local again = not ident and entry.cut[hop] and offset < entry.cut[hop]
    return soon and not again and entry.ack == flows.ack and counts_on(entry, ident, offset, flows.size)
  end

  -- The latest large frame of a list that holds a segment's data: its entry, its slot, and the offset.
  -- @param is_again whether it may have been sent again; else it must have been cut from that
  local function find(list, flows, frame, ident, is_again)
    local size = flows.size
    for back = 1, MOST_LARGE do
      local entry = list[(list.last - back) % MOST_LARGE + 1]
      if not entry then
        return nil
      end
      local slot, offset = slot_of(entry.id), (flows.seq - entry.seq) % WRAP
      if
        slot
        and keys[slot] == entry.key
        and size < entry.size
        and offset + size <= entry.size
        and (is_again or is_cut_from(entry, slot, frame, flows, ident, offset))
        and same_data(slot, frame, offset)
      then
        return entry, slot, offset
      end
    end
    return nil
  end

  --- The slot of the larger frame that a segment was cut from; nil where there is none.
  -- @param frame as `packets` takes it
  -- @param flows what `tcp` has read of it
  function cuts.whole(frame, flows)
    undo_entry = nil
    local list, old_list = large[flows.flow.id], old_large[flows.flow.id]
    if not (list or old_list) then
      return nil
    end
    local hop, ident, entry, slot, offset = frame.hop, proof.ident(frame.key), nil, nil, nil
    if list then
      entry, slot, offset = find(list, flows, frame, ident)
    end
    if not entry and old_list then
      entry, slot, offset = find(old_list, flows, frame, ident)
    end
    if entry then
      undo_entry, undo_hop, undo_cut, undo_each = entry, hop, entry.cut[hop], entry.each
      entry.cut[hop] = offset + flows.size
      if offset + flows.size < entry.size then
        entry.each = flows.size
      end
    end
    return slot
  end

  --- The slot of the larger frame that a retransmission repeats a part of; nil where there is none.
  function cuts.repeated(frame, flows)
    local list, old_list = large[flows.flow.id], old_large[flows.flow.id]
    local _, slot = nil, nil
    if list then
      _, slot = find(list, flows, frame, nil, true)
    end
    if not slot and old_list then
      _, slot = find(old_list, flows, frame, nil, true)
    end
    return slot
  end

  --- The slot of the first of the smaller frames that a larger one was built from; nil where they are not all known.
  function cuts.parts(frame, flows)
    local hop, key, transport = frame.hop, frame.key, frame.transport
    if not is_large(key) then
      return nil
    end
    local flow, seq, left = flows.flow.id, flows.seq, flows.size
    local first, number = nil, 0
    while left > 0 do
      local place = flow * WRAP + seq
      local slot = slot_of(parts[place] or old_parts[place] or 0)
      if not slot then
        return nil
      end
      local gap, part = frame.time - last_time[slot], keys[slot]
      if sub(part, 10, transport + 3) ~= sub(key, 10, transport + 3) then
        return nil -- one that was undone
      end
      local size = proof.tcp_size(part, transport)
      if gap < 0 or gap > window or nodes[slot].counts[hop] or size == 0 or size > left then
        return nil
      end
      if not first then
        if proof.ident(part) ~= proof.ident(key) then
          return nil
        end
        first = slot
      end
      seq, left, number = (seq + size) % WRAP, left - size, number + 1
    end
    return number >= LEAST_PARTS and first or nil
  end

  --- Starts a generation; forgets the one before the last.
  function cuts.forget()
    old_large, large, old_parts, parts = large, {}, parts, {}
  end

  --- Takes back the last `whole`.
  function cuts.undo()
    if undo_entry then
      undo_entry.cut[undo_hop], undo_entry.each = undo_cut, undo_each
      undo_entry = nil
    end
  end

  return cuts
end

return M
