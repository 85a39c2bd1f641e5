--- Counts the tagged packets that go to NICs in untagged mode. It wraps the engine for `batch`, and changes nothing.
--
-- The VLAN comes from the tag or from the tool's comment; otherwise it is the one that the sender's port gives its
-- packets. A packet counts once, however often it is seen.

local modules, wanted = ...

local byte, sub = string.byte, string.sub

local nics, vlan_of, packets = modules.host.nics, modules.host_vlan, modules.host_packet
local tool_comments = modules.tool_comments
local MOST_COUNTED = 65536 -- packets that are remembered; duplicates are near each other

local M = {}

local of_mac = {} -- the NIC with a MAC; false if two have it
for at = 1, #nics do
  local mac = nics[at].mac
  if mac then
    of_mac[mac] = of_mac[mac] == nil and { at = at, nic = nics[at], is_wanted = wanted[at] }
  end
end

local found, order = {}, {}
local counted, count = {}, 0

local function noted_vlan(frame)
  local tool_metadata = frame.tool_metadata
  for at = 1, tool_metadata and tool_metadata.count or 0 do
    local read = tool_comments.read(tool_metadata[at])
    if read and read.vlan then
      return read.vlan
    end
  end
  return frame.hop.vlan
end

-- The VLAN of a packet to a NIC; nil if unknown, or where it comes by another switch, which may change it.
local function vlan_to(target, frame)
  local packet = packets.read(
    frame.kind,
    sub(frame.buf, frame.at, frame.stop < frame.at + packets.LONGEST and frame.stop or frame.at + packets.LONGEST - 1),
    frame.length
  )
  local sender = of_mac[packet.source_mac or ""]
  if sender and (sender.at == target.at or sender.nic.switch ~= target.nic.switch) then
    return nil
  elseif packet.is_tagged then
    return packet.vlan
  end
  return noted_vlan(frame) or sender and vlan_of.of_sender(sender.nic) or nil
end

-- The NIC that a frame goes to, if its packets are counted, and their VLAN.
local function look(frame)
  local buf, at = frame.buf, frame.at
  if frame.kind ~= "ethernet" or frame.stop - at < 13 or byte(buf, at) % 2 == 1 then
    return nil
  end
  local target = of_mac[sub(buf, at, at + 5)]
  if not target or not target.is_wanted then
    return nil
  end
  local vlan = vlan_to(target, frame)
  if vlan and vlan > 0 then
    return target.at, vlan
  end
  return nil
end

local function add(at, vlan, packet, number)
  if counted[packet] then
    return
  elseif count >= MOST_COUNTED then
    counted, count = {}, 0
  end
  counted[packet], count = true, count + 1
  local key = at * 4096 + vlan
  local one = found[key]
  if not one then
    one = { at, vlan, 0, number }
    found[key], order[#order + 1] = one, one
  end
  one[3] = one[3] + 1
end

--- What was found.
-- @return a list of lists: which NIC, counted from 1; the VLAN; how many packets; the number of the first frame
function M.found()
  return order
end

M.engine = setmetatable({
  new = function(...)
    local running = modules.engine.new(...)
    local at, vlan, number
    local function on_look(frame)
      at, vlan = look(frame)
      number = frame.number
      return running.look(frame)
    end
    local function on_commit()
      if at and running.found.packet then
        add(at, vlan, running.found.packet, number)
      end
      at = nil
      return running.commit()
    end
    return setmetatable({ look = on_look, commit = on_commit }, { __index = running })
  end,
}, { __index = modules.engine })

return M
