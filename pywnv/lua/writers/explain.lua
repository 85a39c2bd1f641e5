--- Watches some frames on their way through the engine, and says where two of them differ, and by which rule.
--
-- It stands between `batch` and the engine, and changes nothing.
-- Sources of the layouts: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443, RFC 826.

local modules, wanted = ...

local byte, find, floor, format, min, sub = string.byte, string.find, math.floor, string.format, math.min, string.sub

local SPAN = 16 -- of `frame.read`; what it gives here is not kept

local LONG = 8 -- bytes of a field

local M = { frames = {}, told = {} }

-- name, first byte, bytes; what a hop may change is marked.
local IPV4 = {
  { "version and header length", 0, 1 },
  { "DSCP and ECN", 1, 1, true },
  { "total length", 2, 2 },
  { "identification", 4, 2 },
  { "flags and fragment offset", 6, 2 },
  { "TTL", 8, 1, true },
  { "protocol", 9, 1 },
  { "header checksum", 10, 2, true },
  { "source address", 12, 4 },
  { "destination address", 16, 4 },
}
local IPV6 = {
  { "version, traffic class, flow label", 0, 4 },
  { "payload length", 4, 2 },
  { "next header", 6, 1 },
  { "hop limit", 7, 1, true },
  { "source address", 8, 16 },
  { "destination address", 24, 16 },
}
local ARP = {
  { "hardware type", 0, 2 },
  { "protocol type", 2, 2 },
  { "address lengths", 4, 2 },
  { "operation", 6, 2 },
  { "sender MAC address", 8, 6 },
  { "sender IP address", 14, 4 },
  { "target MAC address", 18, 6 },
  { "target IP address", 24, 4 },
}
local IS_ARP = 1 -- how its key begins
local PORTS = { { "source port", 0, 2 }, { "destination port", 2, 2 } }
local TRANSPORT = {
  [6] = {
    name = "TCP",
    size = 20,
    PORTS[1],
    PORTS[2],
    { "sequence number", 4, 4 },
    { "acknowledgement number", 8, 4 },
    { "header length and flags", 12, 2 },
    { "window", 14, 2 },
    { "checksum", 16, 2, true },
    { "urgent pointer", 18, 2 },
  },
  [17] = { name = "UDP", size = 8, PORTS[1], PORTS[2], { "length", 4, 2 }, { "checksum", 6, 2, true } },
  [1] = { name = "ICMP", size = 8, { "type and code", 0, 2 }, { "checksum", 2, 2, true }, { "rest of header", 4, 4 } },
}
TRANSPORT[58] = TRANSPORT[1]

-- Where these differ, no hop has made one packet of the other. NAT: nor has a NAT, where addresses differ, too.
local NAT = { "protocol", "next header", "TCP sequence number", "TCP acknowledgement number", "UDP length" }
local FIXED = {
  "source port", "destination port", "type and code", "rest of header", "operation", "sender IP address",
  "target IP address",
}

local function add(fields, layer, list, base)
  for _, field in ipairs(list) do
    local name = layer .. " " .. field[1]
    fields[#fields + 1] = { name = name, at = base + field[2], size = field[3], may_change = field[4] }
  end
end

-- The fields of a frame from its network header on, each with the offset of its first byte from there.
local function fields_of(frame)
  local fields, data = {}, frame.data
  if not frame.l3 then
    return { { name = "frame", at = 0, size = #data } }, 1
  end
  local l3 = frame.l3
  local first = byte(data, l3) or 0
  local transport, protocol
  if byte(frame.key, 1) == IS_ARP then
    add(fields, "ARP", ARP, 0)
    return fields, l3
  end
  if frame.has_transport and first < 0x50 then
    transport, protocol = first % 16 * 4, byte(data, l3 + 9)
    add(fields, "IPv4", IPV4, 0)
    if transport > 20 then
      add(fields, "IPv4", { { "options", 20, transport - 20 } }, 0)
    end
  elseif frame.has_transport then
    local length = byte(data, l3 + 4) * 256 + byte(data, l3 + 5)
    transport, protocol = length > 0 and 40 + length - frame.size or 40, frame.protocol
    add(fields, "IPv6", IPV6, 0)
    if transport > 40 then
      add(fields, "IPv6", { { "extension headers", 40, transport - 40 } }, 0)
    end
  end
  local list = TRANSPORT[protocol]
  local payload = transport or 0
  if list then
    add(fields, list.name, list, transport)
    payload = transport + list.size
    if list.name == "TCP" then
      local header = floor((byte(data, l3 + transport + 12) or 0x50) / 16) * 4
      if header > 20 then
        add(fields, "TCP", { { "options", 20, header - 20 } }, transport)
        payload = transport + header
      end
    end
  end
  fields[#fields + 1] = { name = "payload", at = payload, size = math.max(#data - l3 + 1 - payload, 0) }
  return fields, l3
end

local function hexadecimal(text)
  return (text:gsub(".", function(character)
    return format("%02x", byte(character))
  end))
end

--- The first difference of two watched frames behind their link headers: in what no hop changes or, failing that, in
-- what one may.
-- @return a list: name of the field; whether a hop may change it; both values in hexadecimal, of a long field the 8
--   bytes from the first that differs; the offset of that byte in the first frame, from 0. nil: as far as both were
--   captured, they are equal
function M.difference(first, second)
  local one, other = M.frames[first], M.frames[second]
  local fields, start = fields_of(one)
  local _, other_start = fields_of(other)
  local changed = nil
  for _, field in ipairs(fields) do
    local is_long = field.size > LONG and not find(field.name, "address$")
    for at = field.at, field.at + field.size - 1 do
      local a, b = byte(one.data, start + at), byte(other.data, other_start + at)
      if a and b and a ~= b then
        local from = is_long and at or field.at
        local stop = is_long and min(field.at + field.size, from + LONG) - 1 or field.at + field.size - 1
        local found = {
          field.name,
          field.may_change or false,
          hexadecimal(sub(one.data, start + from, start + stop)),
          hexadecimal(sub(other.data, other_start + from, other_start + stop)),
          start + at - 1,
        }
        if not field.may_change then
          return found
        end
        changed = changed or found
        break
      end
    end
  end
  return changed
end

local function ends_in(name, list)
  for _, ending in ipairs(list) do
    if sub(name, -#ending) == ending then
      return true
    end
  end
  return false
end

local function part(frame, field, start)
  return sub(frame.data, start + field.at, min(start + field.at + field.size - 1, #frame.data))
end

-- Whether a field that differs shows that two frames are two packets.
local function is_fixed(name, one, other, has_other_ends)
  if name == "IPv4 identification" or ends_in(name, { "total length", "payload length" }) then
    -- 0: left to the NIC, or a header that was rebuilt
    return not has_other_ends and find(one, "[^%z]") ~= nil and find(other, "[^%z]") ~= nil
  elseif name == "payload" then
    return not has_other_ends
  end
  return ends_in(name, NAT) or not has_other_ends and ends_in(name, FIXED)
end

--- The field in which two watched frames differ that are two packets, as no hop and no NAT changes it; or nil.
function M.fixed(first, second)
  local one, other = M.frames[first], M.frames[second]
  if one.key == other.key or byte(one.key, 1) ~= byte(other.key, 1) then
    return nil
  end
  local fields, start = fields_of(one)
  local _, other_start = fields_of(other)
  local has_other_ends, differing = false, {}
  for _, field in ipairs(fields) do
    local a, b = part(one, field, start), part(other, field, other_start)
    local size = min(#a, #b)
    if sub(a, 1, size) ~= sub(b, 1, size) then
      has_other_ends = has_other_ends or ends_in(field.name, { "source address", "destination address" })
      differing[#differing + 1] = { field.name, a, b }
    end
  end
  for _, field in ipairs(differing) do
    if is_fixed(field[1], field[2], field[3], has_other_ends) then
      return field[1]
    end
  end
  return nil
end

--- The rule by which the engine has told a watched frame from a packet, or nil.
function M.rule(frame, packet)
  return M.told[frame] and M.told[frame][packet]
end

--- Seconds from one watched frame to another; nil if one has no time.
function M.gap(first, second)
  local time, later = M.frames[first].time, M.frames[second].time
  return time and later and later - time
end

-- Lets a rule that tells packets apart note where it does so.
local function listen(name, rule)
  local new = rule.new
  function rule.new(state)
    local differs = new(state)
    return function(packet, frame)
      local is_other, number = differs(packet, frame), frame.number
      if is_other and wanted[number] then
        M.told[number] = M.told[number] or {}
        M.told[number][packet.first_frame] = name
      end
      return is_other
    end
  end
end

for name, rule in pairs(modules.decide.sources) do
  if not rule.verdict then
    listen(name, rule)
  end
end

local engine = {}
for name, value in pairs(modules.engine) do
  engine[name] = value
end

--- The engine, with eyes.
function engine.new(window, ...)
  local running = modules.engine.new(window, ...)
  local watching = setmetatable({}, { __index = running })
  M.window = window or modules.engine.WINDOW
  function watching.look(frame)
    if wanted[frame.number] then
      local seen = { time = frame.time, hop = frame.hop, data = sub(frame.buf, frame.at, frame.stop) }
      seen.kind, seen.buf, seen.at, seen.stop, seen.length = frame.kind, seen.data, 1, #seen.data, frame.length
      modules.frame.read(seen, SPAN)
      M.frames[frame.number] = seen
    end
    running.look(frame)
  end
  return watching
end

M.engine = engine

return M
