--- Counts the hops of packets that were not selected: such a packet may be the rest of a selected one that seems to end
-- early, behind a NAT or if nothing distinguishes packets with the same bytes.

local limits = ...

local floor = math.floor

local M = {}

--- @return table: see, forget, close
function M.new()
  local slots = limits.slots
  local by_slot, masks, count = {}, {}, 0
  local strangers = {}

  local function settle(stranger)
    local known = masks[stranger.mask]
    if known or count < limits.strangers then
      count = known and count or count + 1
      masks[stranger.mask] = (known or 0) + 1
    end
  end

  --- Notes a sighting.
  function strangers.see(packet, hop)
    local stranger = by_slot[packet % slots]
    if not stranger then
      stranger = { packet = packet, mask = 0 }
      by_slot[packet % slots] = stranger
    elseif stranger.packet ~= packet then
      if stranger.packet then
        settle(stranger)
      end
      stranger.packet, stranger.mask = packet, 0
    end
    local bit = hop.index <= limits.masked and 2 ^ (hop.index - 1) or 0
    if bit > 0 and floor(stranger.mask / bit) % 2 == 0 then
      stranger.mask = stranger.mask + bit
    end
  end

  --- Takes back what was noted of a packet: it was selected after all.
  function strangers.forget(packet)
    local stranger = by_slot[packet % slots]
    if stranger and stranger.packet == packet then
      stranger.packet = false
    end
  end

  --- @return how many packets, by mask
  function strangers.close()
    for _, stranger in pairs(by_slot) do
      if stranger.packet then
        settle(stranger)
      end
    end
    return masks
  end

  return strangers
end

return M
