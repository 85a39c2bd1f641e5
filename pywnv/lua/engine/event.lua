--- What the vmSwitch says of packets (NBLs): that it received, routed, delivered or dropped one.
--
-- The events are those of the ETW provider Microsoft-Windows-Hyper-V-VmSwitch. Captures carry their text (the journal
-- blocks of etl2pcapng, Wireshark's ETW records, Message Analyzer) or their binary data (Netmon files).
-- Sources: WNV Deep Dive part 4 (texts), airbus-cert/etl-parser (templates), systemd.io/JOURNAL_EXPORT_FORMATS.

local codes, text, drop, event_text = ...

local byte, gsub, lower, sub = string.byte, string.gsub, string.lower, string.sub
local find, match = string.find, string.match

local MOST_FIELDS, LONGEST_BODY = 64, 65536 -- of a journal entry

local RECEIVED, ROUTED = codes.event.received, codes.event.routed
local DELIVERED, DROPPED = codes.event.delivered, codes.event.dropped

local M = { GUID = "67dc0d66-3695-47c0-9642-33f76f7bd7ad" }

--- Whether a provider, by its name or GUID as any tool writes them, is the vmSwitch.
function M.is_switch(provider)
  if not provider or #provider > 64 then
    return false
  end
  local name = gsub(lower(provider), "[{}]", "")
  return name == M.GUID or gsub(name, "_", "-") == "microsoft-windows-hyper-v-vmswitch"
end

local function clean(name)
  name = name and text.clean(name)
  return name ~= "" and name or nil
end

--- Reads the text of an event.
-- @param provider name or GUID of the ETW provider
-- @param message  its text
-- @return as `event_text.read`; nil if it is not the vmSwitch's
function M.read(provider, message)
  return M.is_switch(provider) and event_text.read(message) or nil
end

-- Binary data.

local function little32(data, at)
  local a, b, c, d = byte(data, at, at + 3)
  return d and a + b * 256 + c * 65536 + d * 16777216
end

-- By event id: what it tells, its texts in order, and the number behind them. Which of 54 and 55 is the source's drop
-- and which the destination's is written nowhere; both name the NIC.
local NIC_AND_SWITCH = { "nic_id", "nic", "switch_id", "switch" }
local NICS_AND_SWITCH = { "nic_id", "nic", "destination_id", "destination_nic", "switch_id", "switch" }

local EXTENSION_FIRST = { "extension", "nic_id", "nic", "destination_id", "destination_nic", "switch_id", "switch" }
local EXTENSION_LAST = { "nic_id", "nic", "switch_id", "switch", "extension_id", "extension", "reason_text" }

local TEMPLATES = {
  [53] = { event = DROPPED, parts = {}, tail = "reason" },
  [54] = { event = DROPPED, parts = NIC_AND_SWITCH, tail = "reason" },
  [55] = { event = DROPPED, parts = NIC_AND_SWITCH, tail = "reason" },
  [56] = { event = RECEIVED, parts = NIC_AND_SWITCH, tail = "buffer" },
  [57] = { event = ROUTED, parts = NICS_AND_SWITCH, tail = "buffer" },
  [58] = { event = DELIVERED, parts = NIC_AND_SWITCH, tail = "buffer" },
  [59] = { event = DROPPED, parts = EXTENSION_FIRST, filtered = true },
  [60] = { event = DROPPED, parts = EXTENSION_LAST, filtered = true },
  [240] = { event = RECEIVED, parts = NIC_AND_SWITCH, tail = "buffer" },
  [241] = { event = DELIVERED, parts = NIC_AND_SWITCH, tail = "buffer" },
  [242] = { event = ROUTED, parts = NICS_AND_SWITCH, tail = "buffer" },
}
local SIZE_OF_TAIL = { reason = 4, buffer = 8 }

-- The texts, each behind its length in characters of two bytes; nil unless they and the tail are all of the data.
local function strings(data, parts, tail_size)
  local found, at = {}, 1
  for n = 1, #parts do
    local size = little32(data, at)
    if not size or size * 2 > #data - at - 3 then
      return nil
    end
    found[parts[n]] = sub(data, at + 4, at + 3 + size * 2)
    at = at + 4 + size * 2
  end
  return at - 1 + tail_size == #data and found or nil
end

local function utf8_name(bytes)
  return bytes and clean(text.from_utf16(sub(bytes, 1, 1024)))
end

--- Reads the binary data of an event.
-- @param id   of the event
-- @param data string
-- @return as `read`; with extension, where the event has one; nil if the data is not what this event holds
function M.user_data(id, data)
  local form = TEMPLATES[id]
  if not form then
    return nil
  end
  local found = strings(data, form.parts, SIZE_OF_TAIL[form.tail] or 0)
  if not found then
    return nil
  end
  local said = {
    event = form.event,
    nic = utf8_name(found.nic) or utf8_name(found.nic_id),
    destination_nic = utf8_name(found.destination_nic) or utf8_name(found.destination_id),
    switch = utf8_name(found.switch) or utf8_name(found.switch_id),
    extension = utf8_name(found.extension) or utf8_name(found.extension_id),
    nic_id = utf8_name(found.nic_id),
    destination_id = utf8_name(found.destination_id),
    filtered = form.filtered,
  }
  said.nic_id = said.nic_id and lower(said.nic_id)
  if form.event == DROPPED then
    said.drop = true
    said.reason_text = utf8_name(found.reason_text)
    said.reason = said.reason_text and drop.number(said.reason_text)
  end
  if form.tail == "reason" then
    said.reason = little32(data, #data - 3)
    said.reason_text = drop.texts[said.reason]
  elseif form.tail == "buffer" then
    said.buffer = sub(data, -8)
  end
  return said
end

-- Journal entries.

--- Splits a journal entry (systemd's export format) into its fields. Of a field that is there twice the first counts.
-- A line that is not a field belongs to the value before it: etl2pcapng writes texts of several lines as they are.
-- @param body string
-- @return table: values by field name
function M.journal(body)
  local fields, last = {}, nil
  local at, stop = 1, (find(body, "\0", 1, true) or #body + 1) - 1
  stop = math.min(stop, LONGEST_BODY)
  for _ = 1, MOST_FIELDS do
    if at > stop then
      break
    end
    local finish = find(body, "\n", at, true) or stop + 1
    local line = sub(body, at, math.min(finish - 1, stop))
    local key, value = match(line, "^([A-Z_][A-Z0-9_]*)=(.*)$")
    if key then
      last = not fields[key] and key or last
      fields[key] = fields[key] or value
    elseif last then
      fields[last] = fields[last] .. "\n" .. line
    end
    at = finish + 1
  end
  return fields
end

return M
