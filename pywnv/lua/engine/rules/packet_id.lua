--- The ids that a capture tool wrote, where they repeat: pktmon's PktGroupId is the same for all sightings of a packet
-- up to Windows Server 2022; from Windows 11 24H2 on it is new with every event, and repeats by chance now and then.

local parts = ...
local limits = parts.limits

return {
  name = "packet_id",
  reason = "The capture tool gave both the same id",
  source = "draft-ietf-opsawg-pcapng 4.3 (epb_packetid)",
  proof = "hard/pktmon_ids",
  verdict = "duplicate",
  evidence = "packet-id",
  proves = true,
  new = function(state)
    local store = state.store
    local young, old, count = {}, {}, 0
    local all, repeated = 0, 0 -- frames with an id; those whose id a packet had
    local rule = {}

    --- Whether ids repeat in this file, as far as it is known.
    -- @param more frames whose id repeats that are not noted yet
    function state.believes_ids(more)
      return (repeated + (more or 0)) * limits.ids_repeat >= all + 1
    end

    function rule.decide(frame)
      local id = frame.tag
      if not id then
        return nil
      end
      local packet = store.get(young[id] or old[id] or 0)
      return packet and packet.tag == id and state.believes_ids(1) and packet or nil
    end

    --- Notes the id of a frame, once it is known which packet that shows.
    function rule.commit(frame, packet)
      local id = frame.tag
      if not id then
        return
      end
      local known = store.get(young[id] or old[id] or 0)
      all = all + 1
      if known and known.tag == id then
        repeated = repeated + 1
      elseif count >= limits.packets then
        old, young, count = young, {}, 0
      end
      if young[id] ~= packet.id then
        young[id], packet.tag, count = packet.id, id, count + 1
      end
    end

    return rule
  end,
}
