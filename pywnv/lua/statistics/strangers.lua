--- Counts the hops of packets that were not selected: such a packet may be the rest of a selected one that seems to end
-- early, behind a NAT or if nothing distinguishes packets with the same bytes.

local floor = math.floor

local MOST_MASKS = 1000
local MASKED = 52 -- hops that a number tells apart

local M = {}

--- @param slots how many of the last frames may show a packet
-- @return table: see, close
function M.new(slots)
  local by_slot, masks, count = {}, {}, 0
  local strangers = {}

  local function settle(stranger)
    local known = masks[stranger.mask]
    if known or count < MOST_MASKS then
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
      settle(stranger)
      stranger.packet, stranger.mask = packet, 0
    end
    local bit = hop.index <= MASKED and 2 ^ (hop.index - 1) or 0
    if bit > 0 and floor(stranger.mask / bit) % 2 == 0 then
      stranger.mask = stranger.mask + bit
    end
  end

  --- @param records of packets that were selected after all, by slot
  -- @return how many packets, by mask
  function strangers.close(records)
    for slot, stranger in pairs(by_slot) do
      if not records[slot] or records[slot].packet ~= stranger.packet then
        settle(stranger)
      end
    end
    return masks
  end

  return strangers
end

return M
