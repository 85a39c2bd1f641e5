--- What capture tools leave in the comment of a frame.
--
-- Sources: microsoft/etl2pcapng src/main.c since 1.3.0, Wireshark extcap/etw_ndiscap.c, JamesKehr/pspkt class/pspkt.cs,
-- pywnv/capture/frames.py.

local text = ...

local clean, number, trim = text.clean, text.number, text.trim
local char, find, gmatch = string.char, string.find, string.gmatch
local gsub, match, sub = string.gsub, string.match, string.sub

local LONGEST = 4096 -- bytes; the tools write some hundreds at most

local M = {}

-- A 32-bit number that C printed as signed.
local function unsigned(digits)
  local minus, rest = match(digits, "^(-?)(%d+)$")
  local value = number(rest)
  if value and minus == "-" and value > 0 then
    value = value <= 2147483648 and 4294967296 - value or nil
  end
  return value
end

local function hexadecimal(digits)
  return digits and #digits <= 8 and tonumber(digits, 16) or nil
end

local function nonempty(name)
  name = clean(name)
  return name ~= "" and name or nil
end

-- The values of the vmSwitch's keys, which hold any text: `rest` up to the next key, and what follows that key.
local function up_to(rest, key)
  local at, stop = find(rest, key, 1, true)
  if not at then
    return nil, rest
  end
  return sub(rest, 1, at - 1), sub(rest, stop + 1)
end

-- VlanId=3 SrcPortId=5 SrcNicType=Synthetic SrcNicName=... SrcPortName=... DstNicCount=4 HashValue=e12b2124
local function read_switch(rest, into)
  local vlan, port, names = match(rest, "^ VlanId=(-?%d+) SrcPortId=(-?%d+) SrcNicType=(.*)$")
  if not vlan then
    return
  end
  into.vlan, into.port = text.vlan(vlan), unsigned(port)
  names = match(names, "^(.*) HashValue=%x+$") or names
  local before, count = match(names, "^(.*) DstNicCount=(%d+)$")
  names, into.destinations = before or names, number(count)
  local nic_type, nic, port_name
  nic_type, names = up_to(names, " SrcNicName=")
  if nic_type then
    nic, port_name = up_to(names, " SrcPortName=")
  else -- the first design had no NIC name
    nic_type, port_name = up_to(names, " SrcPortName=")
  end
  into.nic_type = nic_type and nonempty(nic_type)
  into.nic = nic and nonempty(nic)
  into.port_name = nic_type and nonempty(port_name)
end

-- etl2pcapng of every age, and Wireshark's etwdump: PID=4 TID=8 ...; what else follows is of 802.11 and of RAS.
local function read_etl(comment, into)
  local pid, rest = match(comment, "^PID=(-?%d+)(.*)$")
  if not pid then
    return false
  end
  into.pid = unsigned(pid)
  local digits, after = match(rest, "^ TID=(-?%d+)(.*)$")
  if digits then
    into.tid, rest = unsigned(digits), after
  end
  digits, after = match(rest, "^ ProcessorNumber=(%d+)(.*)$")
  if digits then
    into.cpu, rest = number(digits), after
  end
  read_switch(rest, into)
  return true
end

-- "name (12)", where the name may hold such brackets too.
local function named(value)
  local name, id = match(value, "^(.*)%((%d+)%)$")
  return nonempty(name or value), number(id)
end

local pspkt = {}

function pspkt.Group(value, into)
  into.group = named(value)
end

function pspkt.Component(value, into)
  into.component, into.component_id = named(value)
end

function pspkt.Edge(value, into)
  into.edge = nonempty(value)
end

function pspkt.Direction(value, into)
  into.direction = nonempty(value)
end

function pspkt.CPU(value, into)
  into.cpu = number(value)
end

function pspkt.Drop(value, into)
  into.drop = true
  into.drop_reason = hexadecimal(match(value, "reason=0x(%x+)"))
  into.drop_location = hexadecimal(match(value, "location=0x(%x+)"))
end

local function read_pspkt(comment, into)
  if not find(comment, "\nComponent: ", 1, true) then
    return false
  end
  for line in gmatch(comment, "[^\r\n]+") do
    local key, value = match(line, "^(%a+):%s*(.*)$")
    if pspkt[key] then
      pspkt[key](trim(value), into)
    end
  end
  return true
end

-- pywnv's own, of `pywnv convert`: wnv: pid=4 tid=8 cpu=1 component=59 ...; in values %20 stands for a blank.
local function unescaped(value)
  return (gsub(value, "%%(%x%x)", function(digits)
    return char(tonumber(digits, 16))
  end))
end

local NUMBERS = {
  pid = "pid",
  tid = "tid",
  cpu = "cpu",
  component = "component_id",
  port = "port",
  destinations = "destinations",
  drop = "drop_reason",
}
local TEXTS = {
  edge = "edge",
  direction = "direction",
  nic = "nic",
  nic_type = "nic_type",
  port_name = "port_name",
  reason = "drop_reason_text", -- of a log in a language that we do not know
}

local function read_own(comment, into)
  if sub(comment, 5, 5) ~= " " then
    return false
  end
  for key, value in gmatch(comment, " ([%l_]+)=(%S*)") do
    if NUMBERS[key] then
      into[NUMBERS[key]] = number(value)
    elseif TEXTS[key] then
      into[TEXTS[key]] = nonempty(unescaped(value))
    elseif key == "vlan" then
      into.vlan = text.vlan(value)
    elseif key == "location" then
      into.drop_location = hexadecimal(match(value, "^0x(%x+)$"))
    end
  end
  into.drop = (into.drop_reason or into.drop_reason_text) and true or nil
  return true
end

-- By how a comment begins.
local READERS = {
  ["wnv:"] = read_own,
  ["PID="] = read_etl,
  ["Grou"] = read_pspkt,
}

-- Frames of one flow and thread have the same comment.
local MOST_KNOWN = 1000
local known, known_count = {}, 0

--- Reads a comment.
-- @param comment string
-- @return nil for a comment that no known tool wrote; else a table, the same one for the same comment and not to be
--   changed, with what it says of: pid, tid, cpu, vlan, port, port_name, nic, nic_type, destinations (how many NICs the
--   vmSwitch sends the packet to), group, component, component_id, edge, direction (as the tool words it: Rx, Tx,
--   Ingress ...), drop (true), drop_reason, drop_reason_text (where it has no number), drop_location
function M.read(comment)
  local read = #comment <= LONGEST and READERS[sub(comment, 1, 4)]
  if not read then
    return nil
  end
  local note = known[comment]
  if note == nil then
    note = {}
    note = read(comment, note) and note
    if known_count >= MOST_KNOWN then
      known, known_count = {}, 0
    end
    known[comment], known_count = note, known_count + 1
  end
  return note or nil
end

return M
