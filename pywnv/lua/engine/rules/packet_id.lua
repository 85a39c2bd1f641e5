--- The ids that a capture tool wrote, if they repeat. pktmon's PktGroupId is the same for all sightings of a packet up
-- to Windows Server 2022; from Windows 11 24H2 on each event has a new one, which repeats only by chance. Each trace
-- counts from 1: where several are in one file, an id comes again for another packet.

local parts = ...
local limits = parts.limits
local abs = math.abs

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
    local all, repeated = {}, {} -- by observer: frames with an id; those whose id a packet had
    local rule = {}

    --- Whether ids repeat in this file, as far as it is known.
    -- @param observer of a joined capture, or nil
    -- @param more frames whose id repeats that are not noted yet
    function state.believes_ids(observer, more)
      observer = observer or false
      return ((repeated[observer] or 0) + (more or 0)) * limits.ids_repeat >= (all[observer] or 0) + 1
    end

    -- Whether a packet still has a frame's id: it was seen a short time ago, and this observer gave it no other id.
    local function has_id(packet, frame)
      return abs(frame.time - packet.last_time) <= limits.same_id
        and (packet.tag == frame.tag or packet.tag_of ~= frame.hop.observer)
    end

    function rule.decide(frame)
      local id = frame.tag
      if not id then
        return nil
      end
      local packet = store.get(young[id] or old[id] or 0)
      return packet and has_id(packet, frame) and state.believes_ids(frame.hop.observer, 1) and packet or nil
    end

    --- Notes the id of a frame, once it is known which packet that shows.
    function rule.commit(frame, packet)
      local id, observer = frame.tag, frame.hop.observer
      if not id then
        return
      end
      local known, of = store.get(young[id] or old[id] or 0), observer or false
      all[of] = (all[of] or 0) + 1
      if known and has_id(known, frame) then
        repeated[of] = (repeated[of] or 0) + 1
      elseif count >= limits.packets then
        old, young, count = young, {}, 0
      end
      if young[id] ~= packet.id then
        young[id], packet.tag, packet.tag_of, count = packet.id, id, observer, count + 1
      end
    end

    return rule
  end,
}
