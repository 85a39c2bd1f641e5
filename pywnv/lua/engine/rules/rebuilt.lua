--- tcpip.sys logs dropped packets without a link header and with a rebuilt IP header (IP ID 0, TTL 1, no checksum),
-- once for each socket or filter that did not want it.

local parts = ...
local limits = parts.limits
local byte, floor, sub = string.byte, math.floor, string.sub

local SUM = 65536 -- times this the IP checksum stands in `mutable` of `frame`
local IDENT = 4 -- where it stands in a key of IPv4

-- A key without the IP ID.
local function bytes_of(key)
  return byte(key, 1) == 4 and sub(key, 1, IDENT - 1) .. sub(key, IDENT + 2) or key
end

return {
  name = "rebuilt",
  reason = "It looks like the dropped packets that tcpip.sys logs: no link header, a rebuilt IP header",
  source = "pktmon on Windows 11 24H2",
  proof = "rules/drops-p24",
  verdict = "duplicate",
  new = function(state)
    local store = state.store
    local young, old, count = nil, nil, 0 -- by key without IP ID, the packet seen last with a link header
    local rule = {}

    local function note(packet)
      local bytes = bytes_of(packet.key)
      if young[bytes] ~= packet.id then
        if count >= limits.packets then
          old, young, count = young, {}, 0
        end
        young[bytes], count = packet.id, count + 1
      end
    end

    -- From the first frame without a link header on, which most captures do not have.
    local function begin()
      young, old = {}, {}
      for id = store.oldest, store.newest do
        if store.get(id).link ~= "raw" then
          note(store.get(id))
        end
      end
    end

    function rule.decide(frame)
      if frame.link ~= "raw" then
        return nil
      elseif not young then
        begin()
      end
      local ttl, sum = frame.ttl, floor(frame.mutable / SUM) % SUM
      if ttl > 1 and (frame.ident > 0 or sum > 0) then
        return nil
      end
      local bytes = bytes_of(frame.key)
      local packet = store.get(young[bytes] or old[bytes] or 0)
      if packet and (ttl <= 1 or packet.ident > 0) and not state.differs(packet, frame) then
        return packet
      end
      return nil
    end

    --- Notes what a frame with a link header shows.
    function rule.commit(frame, packet)
      if young and frame.link ~= "raw" then
        note(packet)
      end
    end

    return rule
  end,
}
