--- Packet ids that the capture tool wrote: proof where they repeat, and nothing where each is seen once.
--
-- Sources: draft-ietf-opsawg-pcapng 4.3 (epb_packetid); pktmon's PktGroupId, which on Windows 11 24H2 is new with every
-- event.

local abs = math.abs

local WINDOW = 1 -- seconds in which an id stands for one packet
local BELIEVED = 4 -- so many times as many ids must be of equal frames as of others that the latter are believed

local M = {}

--- @param slots   of packets: see `memory`
-- @param slot_of function: the slot of a packet that is still remembered, or nil
-- @return table: find, note, are_believed, forget, undo
function M.new(slots, slot_of)
  local keys, last_time, tags = slots.keys, slots.last_time, slots.tags
  local young, old = {}, {}
  local equal, other = 0, 0 -- frames that had the id of a packet of theirs, or of one with other bytes
  local undo_equal, undo_other
  local ids = {}

  --- The packet that an id stands for.
  -- @return its slot, or nil; whether its bytes are the frame's, as far as hops leave them alone
  function ids.find(id, time, key)
    undo_equal, undo_other = equal, other
    local slot = slot_of(young[id] or old[id] or 0)
    if not slot or tags[slot] ~= id or abs(time - last_time[slot]) > WINDOW then
      return nil
    elseif keys[slot] == key then
      equal = equal + 1
      return slot, true
    end
    other = other + 1
    return equal > BELIEVED * other and slot or nil, false
  end

  --- Whether a frame with an id of its own is a packet of its own.
  function ids.are_believed()
    return equal > BELIEVED * other
  end

  --- Remembers a new packet with an id.
  function ids.note(packet, id)
    young[id] = packet
    tags[slot_of(packet)] = id
  end

  --- Starts a generation; forgets the one before the last.
  function ids.forget()
    old, young = young, {}
  end

  --- Takes back the last `find`.
  function ids.undo()
    equal, other = undo_equal, undo_other
  end

  return ids
end

return M
