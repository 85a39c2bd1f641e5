--- Finds the virtual NIC of the host that a capture names, by the strongest key that fits; if it fits two NICs, none.
--
-- Captures name a NIC by its GUIDs, by the topology's keys, by names (the first NIC of every VM is "Network Adapter")
-- or by MAC. If the inventory does not have a port's GUIDs, the MAC of its packet decides, among NICs without GUIDs.

local codes = ...

local concat, find, gmatch, lower = table.concat, string.find, string.gmatch, string.lower

local GUID = "%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x"

-- What else has names is no NIC on a vmSwitch.
local OTHERS = {
  [codes.role.pNIC] = true,
  [codes.role.tNIC] = true,
  [codes.role.vSwitch] = true,
  [codes.role.filter] = true,
  [codes.role.protocol] = true,
}

local M = {}

local function guids(name)
  local found = {}
  if name and find(name, "-", 1, true) then
    for guid in gmatch(lower(name), GUID) do
      found[#found + 1] = guid
    end
  end
  return found
end

-- Adds a NIC under a key; false if two have it.
local function add(index, key, nic)
  if key and key ~= "" then
    index[key] = (index[key] == nil or index[key] == nic) and nic
  end
end

local function add_name(index, name, nic)
  if name and name ~= "" then
    local nics = index[name] or {}
    index[name] = nics
    if nics[#nics] ~= nic then
      nics[#nics + 1] = nic
    end
  end
end

--- The NICs of a host, by their keys.
-- @param nics as pywnv.host.evaluate makes them
-- @return table: of_mac, of_event, of_place
function M.new(nics)
  local by_ids, by_last_id, by_mac, by_name = {}, {}, {}, {}
  local without_id, has_guid = {}, {}
  for at = 1, #nics do
    local nic = nics[at]
    local ids = guids(nic.id)
    has_guid[nic] = ids[1] ~= nil
    if not ids[1] and not nic.device then
      without_id[#without_id + 1] = nic
    end
    add(by_ids, concat(ids, "--"), nic)
    add(by_last_id, ids[#ids], nic)
    add(by_last_id, nic.device, nic)
    add(by_mac, nic.mac, nic)
    for _, name in ipairs({ nic.name, nic.title, nic.label, nic.vm or "vEthernet (" .. nic.name .. ")" }) do
      add_name(by_name, name, nic)
    end
  end
  local index = {}

  -- The NIC that a text with GUIDs names; and how many it has.
  local function of_id(text)
    local ids = guids(text)
    if not ids[1] then
      return nil, 0
    end
    return by_ids[concat(ids, "--")] or by_last_id[ids[#ids]] or nil, #ids
  end

  -- The NICs of a name, on a switch where that is told.
  local function named(name, switch, has_id)
    local found = {}
    for _, nic in ipairs(by_name[name] or {}) do
      local elsewhere = switch and nic.switch and nic.switch ~= switch
      local other = has_id and has_guid[nic] -- the capture's id is that of none we know
      if not elsewhere and not other then
        found[#found + 1] = nic
      end
    end
    return found
  end

  -- Of several, the only one that a packet goes to or comes from.
  local function at_either_end(found, packet)
    local target, source = index.of_mac(packet.destination_mac), index.of_mac(packet.source_mac)
    local to, from
    for _, nic in ipairs(found) do
      to, from = to or nic == target and nic, from or nic == source and nic
    end
    return (to and not from and to) or (from and not to and from) or nil
  end

  local function choose(found, packet)
    if #found < 2 then
      return found[1]
    end
    return packet and at_either_end(found, packet)
  end

  --- The only NIC with a MAC.
  function index.of_mac(mac)
    return mac and by_mac[mac] or nil
  end

  --- The NIC that an event names first.
  -- @param said   what it says, as `record` gives it
  -- @param packet that it may be about, or nil
  function index.of_event(said, packet)
    local nic, ids = of_id(said.said.nic_id)
    local has_id = ids > 0
    nic = nic or choose(named(said.event_nic, said.event_switch, has_id), packet)
    -- Since the inventory was made, it may have been connected to another switch.
    return nic or packet and at_either_end(named(said.event_nic, nil, has_id), packet)
  end

  --- The NIC that a place is.
  -- @param place as `hop` made it
  -- @param read  as `tool_comments.read` gave it, or nil
  -- @param packet that was seen there
  function index.of_place(place, read, packet)
    local names = { read and read.component or false, place.description or false, place.port_name or false }
    names[4] = place.title or false
    local most_ids = 0
    for at = 1, 4 do
      local nic, ids = of_id(names[at] or nil)
      if nic then
        return nic
      end
      most_ids = ids > most_ids and ids or most_ids
    end
    if place.nic then -- the topology knows it
      return nics[place.nic]
    elseif OTHERS[place.role] then
      return nil
    end
    for at = 1, 4 do
      local nic = names[at] and choose(named(names[at], place.switch, most_ids > 0), packet)
      if nic then
        return nic
      end
    end
    -- Two GUIDs: of a VM and of its NIC.
    return most_ids > 1 and at_either_end(without_id, packet) or nil
  end

  return index
end

return M
