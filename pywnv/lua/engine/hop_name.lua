--- What the names of interfaces tell of the places in the host.
--
-- Sources: microsoft/etl2pcapng src/main.c and its history, Wireshark's extcap/etw_ndiscap.c (names of interfaces);
-- NDIS_SWITCH_NIC_TYPE in the Windows driver documentation; components as pktmon lists them.

local codes, text = ...

local clean, number = text.clean, text.number
local find, format = string.find, string.format
local lower, match, sub = string.lower, string.match, string.sub

-- GUID: a pattern of it.
local M = { GUID = string.rep("%x", 8) .. string.rep("%-%x%x%x%x", 4) .. string.rep("%x", 8) }

local word_of = {} -- of a role's number
for word, role in pairs(codes.role) do
  word_of[role] = word
end
local UNKNOWN = codes.role.unknown

-- The NIC types of a vmSwitch port. External is the switch's own port to the network outside.
local ROLE_OF_NIC_TYPE = {
  Synthetic = codes.role.vmNIC,
  Emulated = codes.role.vmNIC,
  Internal = codes.role["host vNIC"],
  External = codes.role.vSwitch,
}

local FILTER, PROTOCOL = codes.role.filter, codes.role.protocol

--- Splits a name as it is shown into its role and its title.
-- @return code of the role, unknown where the name begins with none; the rest of the name
function M.split_role(name)
  for role, word in pairs(word_of) do
    if role ~= UNKNOWN and sub(name, 1, #word + 1) == word .. " " then
      return role, sub(name, #word + 2)
    end
  end
  return UNKNOWN, name
end

-- What Windows' own drivers are. vmswitch.sys is many things: only a description tells which.
local ROLE_OF_DRIVER = {
  ["http.sys"] = PROTOCOL,
  ["lltdio.sys"] = PROTOCOL,
  ["mslldp.sys"] = PROTOCOL,
  ["ndiscap.sys"] = FILTER,
  ["ndisuio.sys"] = PROTOCOL,
  ["netvsc.sys"] = codes.role.vmNIC, -- the vmNIC as its guest sees it
  ["npcap.sys"] = FILTER,
  ["nwifi.sys"] = FILTER,
  ["pacer.sys"] = FILTER,
  ["raspppoe.sys"] = PROTOCOL,
  ["rspndr.sys"] = PROTOCOL,
  ["tcpip.sys"] = PROTOCOL,
  ["vfpext.sys"] = FILTER,
  ["vmsproxyhnic.sys"] = codes.role["host vNIC"],
  ["vwififlt.sys"] = FILTER,
  ["wanarp.sys"] = PROTOCOL,
  ["wfplwfs.sys"] = FILTER,
}

-- The names that Windows' drivers give their adapters; a second one of a kind ends in " #2".
local ROLE_OF_ADAPTER = {
  ["Hyper-V Virtual Ethernet Adapter"] = codes.role["host vNIC"],
  ["Hyper-V Virtual Ethernet Container Adapter"] = codes.role["host vNIC"],
  ["Hyper-V Virtual Switch Extension Adapter"] = codes.role.vSwitch,
  ["Hyper-V Virtual Switch Extension Filter"] = FILTER,
  ["Microsoft Hyper-V Network Adapter"] = codes.role.vmNIC,
  ["Microsoft Network Adapter Multiplexor Driver"] = codes.role.tNIC,
  ["Microsoft Network Adapter Multiplexor Protocol"] = PROTOCOL,
}

local function role_of_adapter(name)
  return ROLE_OF_ADAPTER[match(name, "^(.-) #%d+$") or name]
end

-- A NIC of the host by its ifIndex: eth:12:0, wifi:12, mbb:12, and older eth:12.
-- Nothing but a radio sees 802.11 frames or a mobile network; an Ethernet NIC may be physical, a team or virtual.
local MEDIA = {
  eth = { "Ethernet", UNKNOWN },
  wifi = { "Wi-Fi", codes.role.pNIC },
  mbb = { "Mobile broadband", codes.role.pNIC },
}

local function read_ndis(name, description, place)
  local medium, rest = match(name, "^(%l+):(.*)$")
  local known = MEDIA[medium]
  if not known then
    return nil
  end
  local digits, vlan = match(rest, "^(%d+)$"), nil
  if not digits then
    digits, vlan = match(rest, "^(%d+):(-?%d+)$")
  end
  place.ifindex = number(digits)
  if not place.ifindex then
    return nil
  end
  -- The VLAN of eth: is 0 for every frame there is; it says nothing.
  place.vlan = vlan ~= "0" and text.vlan(vlan) or nil
  local over = number(match(description, "^LWF over IfIndex (%d+)"))
  if over then
    place.over, place.role = over, FILTER
    return format("ifIndex %d over ifIndex %d", place.ifindex, over)
  end
  place.role = known[2]
  -- The name to show; `pywnv convert` knows.
  if description ~= "" and not find(description, "VlanID=", 1, true) then
    return description
  end
  return format("%s (ifIndex %d)", known[1], place.ifindex)
end

-- A port of a vmSwitch. Its name may hold colons, so it is what the known ends leave.
local function read_port(name, _, place)
  local nic_type, rest = match(name, "^vNIC:([^:]*):(.*)$")
  local port_name, ifindex, vlan
  if rest then
    port_name, ifindex, vlan = match(rest, "^(.*):(%d+):(-?%d+)$")
    place.ifindex = number(ifindex)
  end
  if not port_name then -- as etl2pcapng 1.7.0 and Wireshark's etwdump write it
    local port, old_type
    port_name, old_type, port, vlan = match(name, "^(.*):(%a+):(%d+):(-?%d+)$")
    if port_name and ROLE_OF_NIC_TYPE[old_type] then
      nic_type, place.port = old_type, number(port)
    elseif ROLE_OF_NIC_TYPE[nic_type] then
      port_name, vlan = rest, nil -- cut short, as names over 255 bytes are
    else
      return nil
    end
  end
  place.nic_type, place.port_name, place.vlan = clean(nic_type), clean(port_name), text.vlan(vlan)
  place.role = ROLE_OF_NIC_TYPE[nic_type]
  if place.port_name ~= "" then
    return place.port_name
  end
  local at = place.port or place.ifindex
  return at and format(place.port and "port %d" or "ifIndex %d", at) or "port"
end

local function read_ras(name)
  local user = match(name, "^Rras:%d+:[^:]*:(.*)$")
  return user and "RAS " .. clean(user)
end

-- An edge of a component of pktmon, as `pywnv convert` writes it: QoS Upper on Ethernet 2 [filter, pacer.sys, component
-- 9, edge 1]. The driver is not always known.
local function read_edge(name, description, place)
  local title, words, component, edge = match(name, "^(.*) %[(.*), component (%d+), edge (%d+)%]$")
  if not title then
    return nil
  end
  local role, driver = match(words, "^([^,]*), (.*)$")
  place.component_id, place.edge = number(component), number(edge)
  place.driver = driver and lower(clean(driver))
  place.role = codes.role[role or words]
  if not place.role or place.role == UNKNOWN then
    place.role = role_of_adapter(description) or ROLE_OF_DRIVER[place.driver]
  end
  return clean(title)
end

-- A component of pktmon: the name of a driver, and what it calls this component.
local function read_component(name, description, place)
  local driver = #name <= 64 and lower(clean(name)) or ""
  if sub(driver, -4) ~= ".sys" then
    return nil
  end
  place.driver, place.role = driver, role_of_adapter(description) or ROLE_OF_DRIVER[driver]
  if description == "" or place.role == FILTER then
    return clean(name)
  elseif place.role == PROTOCOL then
    return format("%s (%s)", clean(name), description)
  end
  return description
end

-- What dumpcap and others write. On Windows its names are devices, and the description is what people call them.
local function read_plain(name, description, place)
  if description ~= "" and find(name, "^\\Device\\NPF_") then
    name = description
  end
  name = clean(name)
  place.role = role_of_adapter(description) or role_of_adapter(name)
  return name
end

local READERS = { read_edge, read_ndis, read_port, read_ras, read_component, read_plain }

local function read_title(name, description, place)
  for at = 1, #READERS do
    local title = READERS[at](name, description, place)
    if title then
      return title
    end
  end
  return ""
end

-- A place that `pywnv join` has named by what the user knows of an observer's host, with its role. What the capture
-- called it became its description.
local function read_known(name, description, place)
  local role, title = M.split_role(name)
  if role == UNKNOWN then
    return nil
  end
  read_title(description, "", place)
  place.role = role
  return clean(title)
end

--- Sets the name that is shown, from a place's observer, role and title.
function M.show(place)
  local title = place.title
  if title == "" then
    title = place.id and format("interface %d", place.id) or nil
  end
  if title and place.role ~= UNKNOWN then
    title = word_of[place.role] .. " " .. title
  end
  place.name = title and place.observer and format("%s: %s", place.observer, title) or title
end

local VM_PORT = "^" .. M.GUID .. "%-%-" .. M.GUID .. "$"

--- The role of the port that a vmSwitch calls so: a VM's, where it is the ids of the VM and of its network adapter.
-- @return code of the role, or nil
function M.role_of_port(name)
  return find(name, VM_PORT) and codes.role.vmNIC
end

--- A place without any values. All places are made here, so that they have their keys in the same order, as packets
-- do.
function M.blank()
  local place = {
    kind = 0, id = 0, name = 0, title = 0, description = 0, role = 0, observer = 0, number_of = 0, is_known = 0,
    is_annotated = 0, team = 0, switch = 0, vlan = 0, port = 0, port_name = 0, nic = 0, nic_type = 0, ifindex = 0,
    over = 0, driver = 0, component_id = 0, edge = 0, facts = 0,
  }
  for key in pairs(place) do
    place[key] = nil
  end
  return place
end

--- What the name of an interface tells.
-- @param kind, id, name, description  as `hop.new` takes them
-- @return table: as `hop.new` gives it, without the name that is shown
function M.read(kind, id, name, description)
  local place = M.blank()
  place.kind, place.id, place.title = kind, id, ""
  if name then
    description = description and clean(description) or ""
    place.description = description ~= "" and description or nil
    local observer, own = match(name, "^([^:]+): (.+)$") -- as `pywnv join` names them
    observer = observer and clean(observer)
    if observer and observer ~= "" then
      place.observer = observer
      place.title = read_known(own, description, place) or read_title(own, description, place)
    else
      place.title = read_title(name, description, place)
    end
  end
  place.role = place.role or UNKNOWN
  return place
end

return M
