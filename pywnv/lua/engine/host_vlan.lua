--- Whether the VLAN setting of a NIC's port on the vmSwitch lets a packet pass.
--
-- A packet without a tag has the VLAN 0, or what the port gives it. At a port in access mode, and at one of a private
-- VLAN, captures show the packets that the NIC sends with the VLAN that the port gave them: these pass. What a NIC in
-- access mode tags itself does not. Isolation by VLAN is access mode, where it lets untagged packets pass.
-- Sources: WNV Deep Dive part 4 (untagged, native VLAN); Set-VMNetworkAdapterVlan; NDIS_SWITCH_PORT_VLAN_MODE and
-- NDIS_SWITCH_PORT_PVLAN_MODE in the Windows driver documentation; Msvm_EthernetSwitchPortIsolationSettingData.

local format = string.format

local M = {}

-- Whether a list of ranges, { from, to, from, to ... }, holds a VLAN.
local function holds(ranges, vlan)
  for at = 1, #ranges, 2 do
    if ranges[at] <= vlan and vlan <= ranges[at + 1] then
      return true
    end
  end
  return false
end

-- By mode: functions of the setting, the VLAN (0: untagged), whether the packet goes to the NIC, and whether its sender
-- wrote the tag.
local passes = {}

function passes.untagged(_, vlan)
  return vlan == 0
end

-- Which VLANs its tenants have, no inventory tells.
function passes.isolation(_, vlan)
  return vlan ~= 0
end

function passes.access(setting, vlan, is_inbound, tags_itself)
  if not is_inbound and tags_itself then
    return vlan == 0
  end
  return vlan == setting.access or not is_inbound and vlan == 0
end

function passes.isolated(setting, vlan, is_inbound)
  if is_inbound then
    return vlan == setting.primary
  end
  return vlan == 0 or holds(setting.secondary, vlan)
end

function passes.community(setting, vlan, is_inbound)
  if is_inbound then
    return vlan == setting.primary or holds(setting.secondary, vlan)
  end
  return vlan == 0 or holds(setting.secondary, vlan)
end

function passes.promiscuous(setting, vlan, is_inbound)
  if is_inbound then
    return vlan == setting.primary or holds(setting.secondary, vlan)
  end
  return vlan == 0 or vlan == setting.primary
end

-- Untagged packets belong to the native VLAN, which is always allowed; once that is not 0, VLAN 0 is one like others.
function passes.trunk(setting, vlan)
  return vlan == nil or vlan == setting.native or holds(setting.allowed, vlan)
end

--- Whether a packet passes.
-- @param nic    as pywnv.host.evaluate makes it
-- @param packet with is_inbound, and vlan: the tag's, or nil without one
function M.passes(nic, packet)
  local setting, vlan = nic.vlan, packet.vlan
  if setting.mode ~= "trunk" then
    vlan = vlan or 0
  end
  return passes[setting.mode](setting, vlan, packet.is_inbound, packet.tags_itself)
end

--- What the setting of a NIC does to a packet that does not pass, in words.
function M.words(nic, packet)
  local what = packet.vlan and format("packets of VLAN %d", packet.vlan) or "untagged packets"
  if packet.tags_itself and not packet.is_inbound and nic.vlan.mode == "access" then
    what = format("packets that the NIC sends tagged (VLAN %d)", packet.vlan)
  end
  return format("VLAN of %s: %s drops %s", nic.label, nic.vlan.words, what)
end

--- The VLAN that the packets of a NIC have in the vmSwitch: 0 for none; nil if the NIC may say it.
function M.of_sender(nic)
  local setting = nic.vlan
  if setting.mode == "untagged" then
    return 0
  elseif setting.mode == "access" then
    return setting.access
  elseif setting.mode == "promiscuous" then
    return setting.primary
  elseif setting.mode ~= "trunk" then
    return setting.secondary[1]
  end
  return nil
end

return M
