--- Counts the hops and addresses of packets that were not selected: such a packet may be the rest of a selected one
-- that seems to end early, behind a NAT or if nothing distinguishes packets with the same bytes.

local limits, _, is_to_group = ...

local concat, floor, format = table.concat, math.floor, string.format

local M = {}

--- @return table: see, at, of, forget, close
function M.new()
  local slots = limits.slots
  local by_slot, groups, by_name = {}, { is_list = true }, {}
  local strangers = {}

  -- Counts a packet by its hops and addresses or, when there are too many of these, by its hops.
  local function settle(stranger)
    local ends = stranger.ends or {}
    local source, destination = ends.source, ends.destination
    local name = concat({ format("%.0f", stranger.mask), source or "", destination or "" }, ">")
    if not by_name[name] and 2 * #groups >= limits.strangers then
      name, source, destination = stranger.mask, nil, nil
    end
    local group = by_name[name]
    if not group and #groups < limits.strangers then
      group = { mask = stranger.mask, source = source, destination = destination, packets = 0 }
      by_name[name], groups[#groups + 1] = group, group
    end
    if group then
      group.packets = group.packets + 1
    end
  end

  --- Notes a sighting.
  -- @param ends of it, or nil
  function strangers.see(number, said, hop, ends, frame)
    local packet = said.packet
    local stranger = by_slot[packet % slots]
    if not stranger then
      stranger = { packet = false }
      by_slot[packet % slots] = stranger
    end
    if stranger.packet ~= packet then
      if stranger.packet then
        settle(stranger)
      end
      stranger.packet, stranger.mask = packet, 0
      stranger.ends, stranger.length, stranger.is_to_group = ends or false, frame.length, is_to_group(frame)
    end
    stranger.last_frame, stranger.path, stranger.direction = number, said.path or false, said.direction or false
    local bit = hop.index <= limits.masked and 2 ^ (hop.index - 1) or 0
    if bit > 0 and floor(stranger.mask / bit) % 2 == 0 then
      stranger.mask = stranger.mask + bit
    end
  end

  --- What is known of the last packet that began in a slot: ends, length, is_to_group; of its last sighting:
  -- last_frame, path, direction; or nil.
  function strangers.at(slot)
    local stranger = by_slot[slot]
    return stranger and stranger.packet and stranger or nil
  end

  --- The same of a packet.
  function strangers.of(packet)
    local stranger = strangers.at(packet % slots)
    return stranger and stranger.packet == packet and stranger or nil
  end

  --- Takes back what was noted of a packet: it was selected after all.
  function strangers.forget(packet)
    local stranger = by_slot[packet % slots]
    if stranger and stranger.packet == packet then
      stranger.packet = false
    end
  end

  --- @return a list of groups: mask, packets; source, destination or nil
  function strangers.close()
    for _, stranger in pairs(by_slot) do
      if stranger.packet then
        settle(stranger)
      end
    end
    return groups
  end

  return strangers
end

return M
