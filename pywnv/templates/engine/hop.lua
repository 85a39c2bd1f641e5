--- The places in the host where frames are seen, and their names.
--
-- Sources: microsoft/etl2pcapng src/main.c and its history, Wireshark's extcap/etw_ndiscap.c (names of interfaces);
-- NDIS_SWITCH_NIC_TYPE in the Windows driver documentation; components as pktmon lists them.

local codes, text = ...

local clean, number = text.clean, text.number
local char, find, format, gsub = string.char, string.find, string.format, string.gsub
local lower, match, sub = string.lower, string.match, string.sub

local M = {}

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
  -- What people call it; `pywnv convert` knows.
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

local function show(place)
  local title = place.title
  if title == "" then
    title = place.id and format("interface %d", place.id) or nil
  end
  if title and place.role ~= UNKNOWN then
    title = word_of[place.role] .. " " .. title
  end
  place.name = title
end

local function read(kind, id, name, description)
  local place = { kind = kind, id = id, title = "" }
  if name then
    description = description and clean(description) or ""
    place.description = description ~= "" and description or nil
    local title
    for at = 1, #READERS do
      title = READERS[at](name, description, place)
      if title then
        break
      end
    end
    place.title = title
  end
  place.role = place.role or UNKNOWN
  return place
end

--- A place where frames are seen. Make one for each interface and keep it: places are told apart by identity.
-- @param kind its link header, as `link.network` takes it
-- @param id   number of the interface in its section, from 0; nil for a file without interfaces
-- @param name string or nil: what the capture calls it
-- @param description string or nil: the interface's description in the capture
-- @return table: kind, id, role, name (as shown; nil where there is no interface), title (the name without the role);
--   and where the name says it: vlan, port, port_name, nic_type, ifindex, over (ifIndex of the NIC below a filter),
--   driver, description, component_id, edge
function M.new(kind, id, name, description)
  local place = read(kind, id, name, description)
  show(place)
  return place
end

local Registry = {}
Registry.__index = Registry

--- The places of one capture: no two of them look the same.
-- Ask for a place at the first frame of its interface, in file order: then every body of the engine gives it the
-- same name.
-- @param topology as pywnv.topology makes it, or nil
function M.registry(topology)
  topology = topology or {}
  local owners = {}
  for digits, at in pairs(topology.mac or {}) do
    owners[gsub(digits, "%x%x", function(pair)
      return char(tonumber(pair, 16))
    end)] = topology.entries[at]
  end
  local registry = { topology = topology, owners = owners, noted_places = {}, noted_count = 0, made = {} }
  registry.taken, registry.taken_count = {}, 0
  return setmetatable(registry, Registry)
end

-- Sets what a frame may take back.
local function set(self, into, key, value)
  if into[key] == nil then
    self.made[#self.made + 1] = { into, key }
  end
  into[key] = value
end

--- Keeps the places made so far.
function Registry:keep()
  if self.made[1] then
    self.made = {}
  end
end

--- Forgets the places made since the last `keep`: the frame that showed them does not count.
function Registry:undo()
  for at = 1, #self.made do
    local into, key = self.made[at][1], self.made[at][2]
    into[key] = nil
    if into == self.noted_places then
      self.noted_count = self.noted_count - 1
    end
  end
  self.made = {}
end

-- What the topology says under a key of one of its indexes; nil where nothing.
function Registry:entry(index, key)
  local entries = key ~= nil and self.topology[index]
  local at = entries and entries[key]
  return at and self.topology.entries[at]
end

local MOST_TAKEN = 65536 -- names, of all sections; only a capture made to defeat us has more

local function settle(self, place, entry, number_of)
  if entry then
    place.title, place.role = clean(entry.name), entry.role or place.role
    place.team, place.switch = entry.team, entry.switch
  end
  show(place)
  local name = place.name
  if name then
    -- A capture with several sections may number the same interface again.
    if self.taken[name] and self.taken[name] ~= number_of then
      name = format("%s (%s)", name, number_of)
    end
    if not self.taken[name] then
      if self.taken_count >= MOST_TAKEN then
        self.taken, self.taken_count = {}, 0
      end
      self.taken_count = self.taken_count + 1
    end
    set(self, self.taken, name, number_of)
    place.name = name
  end
  return place
end

-- An ifIndex names an adapter, not the filters above it nor the ports of a switch.
local function adapter(place)
  return not place.over and not place.nic_type and place.ifindex or nil
end

--- A place, as `hop.new` makes it, named by the topology where that knows it, and unlike all others here.
function Registry:place(kind, id, name, description)
  local place = read(kind, id, name, description)
  local entry = self:entry("interface", name)
    or self:entry("port_id", place.port)
    or self:entry("port_name", place.port_name)
    or self:entry("description", place.description)
    or self:entry("component_id", place.component_id)
    or self:entry("ifindex", adapter(place))
  -- Frames of several link headers have several interfaces, and one hop.
  local number_of = place.component_id and "component %d" or "interface %d"
  return settle(self, place, entry, format(number_of, place.component_id or id or 0))
end

-- A component that pspkt names in a comment.
local function component(self, base, note)
  local place = read(base.kind, base.id, note.component, nil)
  local id = note.component_id
  local entry = self:entry("component_id", id)
  local number_of = format("component %d", id)
  place.title = place.title ~= "" and place.title or number_of
  settle(self, place, entry, number_of)
  if note.edge then
    place.name = format("%s %s", place.name, note.edge)
  end
  return place
end

local MOST_NOTED = 4096 -- only a capture made to defeat us notes more components

--- The place that a frame's comment tells of, where it tells more than the interface: the component of pktmon whose
-- packets pspkt writes to a single interface, or the port that the topology knows.
-- @param place as `place` gave it
-- @param note  as `note.read` gave it
function Registry:noted(place, note)
  if place.component_id then -- its interface has said it
    return place
  end
  local key
  if note.component_id then
    key = format("%s\n%s\n%d\n%s", place.kind, note.component or "", note.component_id, note.edge or "")
  elseif note.port and self:entry("port_id", note.port) then
    key = format("%s\n%d\nport %d", place.kind, place.id or 0, note.port)
  else
    return place
  end
  local known = self.noted_places[key]
  if known then
    return known
  end
  if self.noted_count >= MOST_NOTED then
    return place
  end
  self.noted_count = self.noted_count + 1
  if note.component_id then
    known = component(self, place, note)
  else
    known = {}
    for field, value in pairs(place) do
      known[field] = value
    end
    known.port = note.port
    settle(self, known, self:entry("port_id", note.port), format("port %d", note.port))
  end
  set(self, self.noted_places, key, known)
  return known
end

--- Whose MAC this is: a table with name and, where known, role; nil where the topology does not say.
-- @param mac its six bytes
function Registry:owner(mac)
  return self.owners[mac]
end

return M
