--- The places in the host where frames are seen.

local text, hop_name = ...

local clean = text.clean
local char, format, gsub = string.char, string.format, string.gsub
local lower, match = string.lower, string.match
local read, show = hop_name.read, hop_name.show

local GUID = hop_name.GUID

local M = {}

--- A place where frames are seen. Make one for each interface and keep it: places are told apart by identity.
-- @param kind its link header, as `link.network` takes it
-- @param id   number of the interface in its section, from 0; nil for a file without interfaces
-- @param name string or nil: what the capture calls it
-- @param description string or nil: the interface's description in the capture
-- @return table: kind, id, role, name (as shown; nil if there is no interface), title (the name without the role),
--   observer (of a joined capture, who saw it; else nil);
--   and where the name says it: vlan, port, port_name, nic_type, ifindex, over (ifIndex of the NIC below a filter),
--   driver, description, component_id, edge
function M.new(kind, id, name, description)
  local place = read(kind, id, name, description)
  show(place)
  return place
end

local MOST_TAKEN = 65536 -- names, of all sections; only a capture made to defeat us has more

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
  local registry = { topology = topology, owners = owners, noted_places = {}, noted_count = 0, pending = {} }
  registry.taken, registry.taken_count = {}, 0
  registry.has_guids = next(topology.guid or {}) ~= nil
  registry.events = setmetatable({}, { __mode = "k" }) -- of one flow they are the same table
  return setmetatable(registry, Registry)
end

-- Names and places count once the frame that shows them does: `commit` keeps them, `discard` does not.
local function set(self, into, key, value)
  self.pending[#self.pending + 1] = { into, key, value }
end

local function get(self, into, key)
  local value = into[key]
  for at = 1, value == nil and #self.pending or 0 do
    local pending = self.pending[at]
    if pending[1] == into and pending[2] == key then
      value = pending[3]
    end
  end
  return value
end

--- Keeps the places made since the last `commit` or `discard`.
function Registry:commit()
  for at = 1, #self.pending do
    local into, key, value = self.pending[at][1], self.pending[at][2], self.pending[at][3]
    if into[key] == nil then
      if into == self.taken then
        self.taken_count = self.taken_count + 1
      else
        self.noted_count = self.noted_count + 1
      end
    end
    into[key] = value
  end
  if self.pending[1] then
    self.pending = {}
  end
  if self.taken_count >= MOST_TAKEN then
    self.taken, self.taken_count = {}, 0
  end
end

--- Forgets the places made since then: the frame that showed them does not count.
function Registry:discard()
  if self.pending[1] then
    self.pending = {}
  end
end

-- What the topology says under a key of one of its indexes; nil if nothing. Of several observers, it names whole
-- interfaces only: numbers are each host's own.
function Registry:entry(index, key, observer)
  local entries = key ~= nil and not observer and self.topology[index]
  local at = entries and entries[key]
  return at and self.topology.entries[at]
end

local function settle(self, place, entry, number_of)
  place.number_of = number_of
  if entry then
    place.is_known = true
    place.title, place.role = clean(entry.name), entry.role or place.role
    place.team, place.switch, place.nic = entry.team, entry.switch, entry.nic
  end
  show(place)
  local name = place.name
  if name then
    -- A capture with several sections may number the same interface again.
    local taken = get(self, self.taken, name)
    if taken and taken ~= number_of then
      name = format("%s (%s)", name, number_of)
    end
    set(self, self.taken, name, number_of)
    place.name = name
  end
  return place
end

-- The last GUID of a name is that of an adapter: of \Device\NPF_{GUID}, and of a VM's NIC, which the vmSwitch calls by
-- the GUIDs of VM and adapter.
local function last_guid(name)
  return name and match(lower(name), "^.*(" .. GUID .. ")")
end

-- What stands under the GUID in one of these names; the switch's own port to the network is not the NIC below it.
function Registry:by_guid(nic_type, ...)
  if not self.has_guids or nic_type == "External" then
    return nil
  end
  local entry
  for at = 1, select("#", ...) do
    entry = entry or self:entry("guid", last_guid((select(at, ...))))
  end
  return entry
end

-- An ifIndex names an adapter, not the filters above it nor the ports of a switch.
local function adapter(place)
  return not place.over and not place.nic_type and place.ifindex or nil
end

--- A place, as `hop.new` makes it, named by the topology where that knows it, and different from all others here.
function Registry:place(kind, id, name, description)
  local place = read(kind, id, name, description)
  local observer = place.observer
  local entry = self:entry("interface", name)
    or self:entry("port_id", place.port, observer)
    or self:by_guid(place.nic_type, place.port_name, place.description, place.title)
    or self:entry("port_name", place.port_name, observer)
    or self:entry("description", place.description, observer)
    or self:entry("component_id", place.component_id, observer)
    or self:entry("ifindex", adapter(place), observer)
  -- Frames of several link headers have several interfaces, and one hop.
  local number_of = place.component_id and "component %d" or "interface %d"
  return settle(self, place, entry, format(number_of, place.component_id or id or 0))
end

-- A component that pspkt names in a comment.
local function component(self, base, note)
  local place = read(base.kind, base.id, note.component, nil)
  local id = note.component_id
  local observer = base.observer
  local entry = self:entry("component_id", id, observer)
    or self:by_guid(nil, note.component)
    or self:entry("description", note.component, observer)
  place.observer = observer
  local number_of = format("component %d", id)
  place.title = place.title ~= "" and place.title or number_of
  local role = hop_name.role_of_port(place.title)
  if role then
    place.role, place.title = role, note.group or place.title
  elseif note.group and note.group ~= place.title then -- the NIC whose stack it is part of
    place.title = format("%s on %s", place.title, note.group)
  end
  settle(self, place, entry, number_of)
  if note.edge then
    place.name = format("%s %s", place.name, note.edge)
  end
  return place
end

--- Names a place as the annotation of its first frame does, unless the topology knows the place.
-- @param place as `place` or `noted` gave it; its is_annotated says that this has been done
-- @param shared of the frame's annotation, or nil
function Registry:annotated(place, shared)
  place.is_annotated = true
  local hop = shared and shared.hop
  if not hop or hop == place.name or place.is_known then
    return
  end
  local role, title = hop_name.split_role(hop)
  place.role = shared.hop_role
  place.title = role == place.role and title or hop
  settle(self, place, nil, place.number_of)
end

local MOST_NOTED = 4096 -- only a capture made to defeat us notes more components

--- The place that a frame's comment tells of, where it tells more than the interface: the component of pktmon whose
-- packets pspkt writes to a single interface, or the port that the topology knows.
-- @param place as `place` gave it
-- @param note  as `tool_comments.read` gave it
function Registry:noted(place, note)
  if place.component_id then -- its interface has said it
    return place
  end
  local key
  if note.component_id then
    key = format("%s\n%s\n%d\n%s", place.kind, note.component or "", note.component_id, note.edge or "")
    key = place.observer and key .. "\n" .. place.observer or key
  elseif note.port and self:entry("port_id", note.port, place.observer) then
    key = format("%s\n%d\nport %d", place.kind, place.id or 0, note.port)
  elseif note.nic and self.has_guids then
    key = format("%s\n%d\nNIC %s", place.kind, place.id or 0, note.nic)
  else
    return place
  end
  local known = get(self, self.noted_places, key)
  if known then
    return known
  end
  if self.noted_count >= MOST_NOTED then
    return place
  end
  if note.component_id then
    known = component(self, place, note)
  else
    local of_port = note.port and self:entry("port_id", note.port, place.observer)
    local entry = of_port or self:by_guid(note.nic_type, note.nic)
    local number_of = of_port and format("port %d", note.port) or format("interface %d", place.id or 0)
    if not entry or not of_port and clean(entry.name) == place.title then
      known = place
    else
      known = hop_name.blank()
      for field, value in pairs(place) do
        known[field] = value
      end
      known.port, known.is_annotated = note.port, nil
      settle(self, known, entry, number_of)
    end
  end
  set(self, self.noted_places, key, known)
  return known
end

--- An event with its NICs as the topology calls them: each VM's is "Network Adapter" in events.
-- @param said as `record` gave it; it is not changed
-- @return it, or another one with these names
function Registry:named(said)
  if not self.has_guids then
    return said
  end
  local known = self.events[said]
  if not known then
    local nic, destination = self:by_guid(nil, said.said.nic_id), self:by_guid(nil, said.said.destination_id)
    known = said
    if nic or destination then
      known = setmetatable({}, { __index = said })
      known.event_nic = nic and clean(nic.name) or said.event_nic
      known.event_destination_nic = destination and clean(destination.name) or said.event_destination_nic
    end
    self.events[said] = known
  end
  return known
end

--- Whose MAC this is: a table with name and, where known, role; nil if the topology does not say.
-- @param mac its six bytes
function Registry:owner(mac)
  return self.owners[mac]
end

return M
