--- Follows each buffer (NBL) through a vmSwitch: received, routed, delivered or dropped, and the packet that it held.
--
-- An event names the buffer's address and the NIC; a captured packet names the NIC that it came from. One packet
-- follows `received`, another follows `routed`. Windows uses an address again at once: its chain ends with `delivered`
-- or `dropped`, or with the next `received`. A packet to several NICs is routed and
-- delivered once for each of them.
-- Source: event messages of Microsoft-Windows-Hyper-V-VmSwitch, NDIS-PacketCapture event 1003.

local codes, drop, limits = ...

local RECEIVED, ROUTED = codes.event.received, codes.event.routed
local DELIVERED = codes.event.delivered

local M = {}

--- The chains of one capture.
-- @param keep nil, or a function of a frame that gives what is to be kept of it for the events about it
-- @return table: packet_of, note, note_packet
function M.new(keep)
  local by_address, count = {}, 0
  local waiting = {} -- by NIC: the chain whose fragment comes next; `is_shared` where it may be another's
  local chains = {}

  --- The packet that an event is about.
  -- @param said what an event says: see `event`
  -- @return its number; nil if nothing proves which it is; then what was kept of it, or nil; whether it goes to a group
  function chains.packet_of(said)
    local chain = said.buffer and by_address[said.buffer]
    local is_open = chain and (not chain.is_over or said.event == DELIVERED and chain.routed > 0)
    if not is_open or said.event == RECEIVED then
      return nil
    end
    return chain.packet or nil, chain.packet and chain.kept or nil, chain.is_to_group
  end

  local function wait(chain, time)
    local nic = chain.nic
    local other = nic and waiting[nic]
    if other and time - other.time > limits.near then
      other = nil
    end
    if nic and not (other and other.chain == chain) then
      waiting[nic] = { chain = chain, time = time, left = other and other.left + 1 or 1, is_shared = other ~= nil }
    end
  end

  --- Notes an event.
  function chains.note(said, time)
    local address, event = said.buffer, said.event
    local chain = address and by_address[address]
    if not address or not time then
      return
    elseif event ~= RECEIVED and event ~= ROUTED then
      if chain then
        chain.is_over, chain.routed = true, chain.routed - 1
      end
      return
    end
    if event == RECEIVED or not chain or chain.is_over then
      if count >= limits.chains then
        by_address, waiting, count = {}, {}, 0
      end
      chain, count = { nic = said.nic_id, packet = nil, is_over = false, routed = 0 }, count + 1
      by_address[address] = chain
    end
    chain.routed = chain.routed + (event == ROUTED and 1 or 0)
    wait(chain, time)
  end

  --- Notes a packet that was seen in a vmSwitch.
  -- @param packet its number
  -- @param nic    that it came from
  -- @param frame  that shows it
  function chains.note_packet(packet, nic, time, frame)
    local entry = waiting[nic]
    if not entry then
      return
    end
    entry.left = entry.left - 1
    if entry.left == 0 then
      waiting[nic] = nil
    end
    local chain = entry.chain
    if entry.is_shared or not time or time - entry.time > limits.near then
      return
    end
    chain.packet = (chain.packet == nil or chain.packet == packet) and packet -- false: they contradict each other
    chain.kept, chain.is_to_group = keep and keep(frame), drop.is_to_group(frame)
  end

  return chains
end

return M
