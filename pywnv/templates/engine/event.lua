--- What the vmSwitch says of packets (NBLs): that it received, routed, delivered or dropped one.
--
-- The events are those of the ETW provider Microsoft-Windows-Hyper-V-VmSwitch. Captures carry their text (the journal
-- blocks of etl2pcapng, Wireshark's ETW records, Message Analyzer) or their binary data (Netmon files).
-- Sources: WNV Deep Dive part 4 (texts), airbus-cert/etl-parser (templates), systemd.io/JOURNAL_EXPORT_FORMATS.

local codes, text, drop = ...

local byte, gsub, lower, sub = string.byte, string.gsub, string.lower, string.sub
local find, match = string.find, string.match

local LONGEST_TEXT = 8192 -- bytes; a name has 256 characters at most, an event six of them
local MOST_NAMES = 8 -- an event has three
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

-- Texts.

-- What may follow a bracket in English.
local FOLLOWS = { to = true, on = true, ["in"] = true, was = true, reason = true }

local function goes_on(message, at)
  local word = match(message, "^[%s,.]*(%a+)", at)
  return word and FOLLOWS[lower(word)] or not word and find(message, "^[%s.]*$", at) ~= nil
end

-- What the bracket at `open` holds, and where it ends. A name may hold brackets, even single ones: then the end is the
-- one after which the text goes on as it should.
local function bracket(message, open)
  local whole = match(message, "^%b()", open)
  local stop = whole and open + #whole - 1 or find(message, ")", open, true)
  if not stop then
    return nil
  end
  local next_open = find(message, "(", stop, true) or #message + 1
  local other = stop
  while other and other < next_open do
    if goes_on(message, other + 1) then
      stop = other
      break
    end
    other = find(message, ")", other + 1, true)
  end
  return sub(message, open + 1, stop - 1), stop + 1
end

-- The label and the name of "Friendly Name: wireless", in any language; Chinese and Japanese have a wide colon.
local function labelled(inside)
  local at, stop = find(inside, ":", 1, true)
  local wide, wide_stop = find(inside, "\239\188\154", 1, true)
  if wide and (not at or wide < at) then
    at, stop = wide, wide_stop
  end
  if at then
    return sub(inside, 1, at - 1), sub(inside, stop + 1)
  end
  return nil
end

-- The text in pieces: `gaps[n]` stands before the n-th "(Friendly Name: ...)", `names[n]` is the name in that; the last
-- gap is what remains.
local function pieces(message)
  local gaps, names = {}, {}
  local label
  local at, from = 1, 1
  while #names < MOST_NAMES do
    local open = find(message, "(", at, true)
    if not open then
      break
    end
    local inside, after = bracket(message, open)
    if not inside then
      break
    end
    local its_label, name = labelled(inside)
    label = label or its_label
    if its_label and its_label == label then
      gaps[#gaps + 1], names[#names + 1] = sub(message, from, open - 1), name
      at, from = after, after
    else
      at = open + 1
    end
  end
  gaps[#gaps + 1] = sub(message, from)
  return gaps, names
end

-- Which event an English text tells of, by the words outside its names.
local function english(words)
  if find(words, "dropped", 1, true) or find(words, "filtered", 1, true) then
    return DROPPED
  elseif find(words, "received from", 1, true) then
    return RECEIVED
  elseif find(words, "routed from", 1, true) then
    return ROUTED
  elseif find(words, "delivered to", 1, true) then
    return DELIVERED
  end
  return nil
end

-- "NIC" is the same word in every language: a name behind it is a NIC's, one without it the switch's.
local function behind_nic(gap)
  gap = lower(gap)
  return find(gap, "%f[%w]nic%s*$") ~= nil or find(gap, "%f[%w]nic%s+%S+%s*$") ~= nil
end

-- The friendly name; without one, the other name that stands before the bracket.
local function best(name, gap, word)
  return clean(name) or clean(match(gap, word .. "%s+(%S+)%s*$"))
end

local function read_named(gaps, names, words)
  local said, nics = {}, 0
  for at = 1, #names do
    if behind_nic(gaps[at]) then
      nics = nics + 1
      local field = nics == 1 and "nic" or "destination_nic"
      said[field] = said[field] or best(names[at], gaps[at], "[Nn][Ii][Cc]")
    else
      said.switch = said.switch or best(names[at], gaps[at], "[Ss]witch")
    end
  end
  if nics == 0 or nics > 2 then
    return nil
  end
  -- In another language: only the way from one NIC to another names two.
  said.event = english(words) or nics == 2 and ROUTED or codes.event.none
  return said
end

-- Without friendly names: NBL received from Nic A in switch B.
local function read_plain(message, words)
  local event, nic = english(words), match(message, "%s[Nn][Ii][Cc]%s+(%S+)")
  if not event or not nic then
    return nil
  end
  return {
    event = event,
    nic = clean(nic),
    destination_nic = event == ROUTED and clean(match(message, "%sto%s+[Nn][Ii][Cc]%s+(%S+)")) or nil,
    switch = clean(match(message, "%s[io]n%s+switch%s+([^%s,]+)")),
  }
end

--- Reads the text of an event.
-- @param provider name or GUID of the ETW provider
-- @param message  its text
-- @return nil where it is not the vmSwitch's or tells of no packet; else a table: event (a code of `event`; none where
--   the language is not known), nic (the one named first), destination_nic, switch, and for a dropped packet: drop
--   (true), reason (number), reason_text, filtered (true: by an extension of the switch)
function M.read(provider, message)
  if not M.is_switch(provider) or not message or #message > LONGEST_TEXT then
    return nil
  end
  message = gsub(message, "%c+", " ")
  local gaps, names = pieces(message)
  local rest = gaps[#gaps]
  local at, stop = find(lower(rest), "%f[%w]reason:?%s+")
  local reason = at and clean(sub(rest, stop + 1))
  gaps[#gaps] = at and sub(rest, 1, at - 1) or rest -- a reason's words are no event's
  local words = lower(table.concat(gaps, " "))
  if not find(words, "%f[%w]nbl%f[%W]") then
    return nil
  end
  local said
  if #names > 0 then
    said = read_named(gaps, names, words)
  else
    said = read_plain(gaps[1], words)
  end
  if said and said.event == DROPPED then
    said.drop = true
    said.reason_text = reason
    said.reason = reason and drop.number(reason)
    said.filtered = find(words, "filtered", 1, true) and true or nil
  end
  return said
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

-- The texts, each behind its length in units of so many bytes; nil unless they and the tail are all of the data.
local function strings(data, parts, unit, tail_size)
  local found, at = {}, 1
  for n = 1, #parts do
    local size = little32(data, at)
    if not size or size * unit > #data - at - 3 or size * unit % 2 == 1 then
      return nil
    end
    found[parts[n]] = sub(data, at + 4, at + 3 + size * unit)
    at = at + 4 + size * unit
  end
  return at - 1 + tail_size == #data and found or nil
end

local function utf8_name(bytes)
  return bytes and clean(text.from_utf16(sub(bytes, 1, 1024)))
end

--- Reads the binary data of an event.
-- @param id   of the event
-- @param data string
-- @return as `read`; with buffer (eight bytes: the same for all events of one NBL while it is on its way) and
--   extension, where the event has them; nil where the data is not what this event holds
function M.user_data(id, data)
  local form = TEMPLATES[id]
  if not form then
    return nil
  end
  -- Whether lengths count bytes or characters is written nowhere: that reading is right which fits exactly.
  local tail_size = SIZE_OF_TAIL[form.tail] or 0
  local found = strings(data, form.parts, 1, tail_size) or strings(data, form.parts, 2, tail_size)
  if not found then
    return nil
  end
  local said = {
    event = form.event,
    nic = utf8_name(found.nic) or utf8_name(found.nic_id),
    destination_nic = utf8_name(found.destination_nic) or utf8_name(found.destination_id),
    switch = utf8_name(found.switch) or utf8_name(found.switch_id),
    extension = utf8_name(found.extension) or utf8_name(found.extension_id),
    filtered = form.filtered,
  }
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
-- A line that is no field belongs to the value before it: etl2pcapng writes texts of several lines as they are.
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
