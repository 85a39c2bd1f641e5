--- Frames that are not packets but events of Windows (ETW): says what those of the vmSwitch and of VFP tell.
--
-- Sources: systemd.io/JOURNAL_EXPORT_FORMATS as etl2pcapng writes it; Wireshark's extcap/etl.c and packet-etw.c (ETW
-- records), packet-netmon.c (events in Netmon files); EVENT_HEADER in the Windows SDK.

local codes, event, text, drop, vfp, annotation = ...

local byte, char, find, format = string.byte, string.char, string.find, string.format
local gsub, match, sub = string.gsub, string.match, string.sub

local LONGEST_INFO = 500 -- bytes
local LONGEST_MESSAGE = 16384 -- bytes of UTF-16
local LONGEST_DATA = 16384 -- digits of an event's data
local MOST_EXTENDED = 64 -- items of extended data before an event's own
local MOST_KNOWN = 1000

local VFP_PROTOCOL = "Microsoft_Windows_Hyper_V_VfpExt"

-- A provider's GUID as it lies in memory: three numbers, little-endian, and eight bytes.
local function in_memory(guid)
  local swapped = gsub(guid, "^(%x%x)(%x%x)(%x%x)(%x%x)%-(%x%x)(%x%x)%-(%x%x)(%x%x)", "%4%3%2%1%6%5%8%7")
  return (gsub(gsub(swapped, "%-", ""), "%x%x", function(pair)
    return char(tonumber(pair, 16))
  end))
end
local PROVIDER, VFP_PROVIDER = in_memory(event.GUID), in_memory(vfp.GUID)

-- EVENT_HEADER: where the provider's GUID and the event's id lie, and where what follows it begins.
local PROVIDER_AT, ID_AT, ETW_SIZES_AT, NETMON_SIZES_AT = 24, 40, 84, 84
local ETW_DATA_AT, NETMON_DATA_AT = 96, 89

-- As Message Analyzer shows it.
local M = { PROTOCOL = "Microsoft_Windows_Hyper_V_VmSwitch" }

local function little16(data, at)
  local low, high = byte(data, at, at + 1)
  return low + high * 256
end

local function little32(data, at)
  return little16(data, at) + little16(data, at + 2) * 65536
end

local function friendly(name)
  return format("(Friendly Name: %s)", name or "")
end

-- An event in words, as Windows' own texts put it.
local function words(said)
  local nic, switch = "Nic " .. friendly(said.nic), "switch " .. friendly(said.switch)
  if said.event == codes.event.received then
    return format("NBL received from %s in %s", nic, switch)
  elseif said.event == codes.event.routed then
    return format("NBL routed from %s to Nic %s on %s", nic, friendly(said.destination_nic), switch)
  elseif said.event == codes.event.delivered then
    return format("NBL delivered to %s in %s", nic, switch)
  end
  local message = said.nic and format("NBL of %s was dropped in %s", nic, switch) or "NBL was dropped"
  if said.extension then
    message = format("%s by extension %s", message, friendly(said.extension))
  end
  return said.reason_text and format("%s, Reason %s", message, said.reason_text) or message
end

-- What an event says, keyed like the columns of the table of fields; with protocol and info, for the packet list.
local function row(said, message)
  local columns = {
    verdict = codes.verdict.event,
    event = said.event ~= codes.event.none and said.event or nil,
    event_nic = said.nic,
    event_destination_nic = said.destination_nic,
    event_switch = said.switch,
    said = said,
    protocol = said.rule and VFP_PROTOCOL or M.PROTOCOL,
    drop_rule = said.rule,
    info = text.clean(message or words(said), LONGEST_INFO),
  }
  if said.drop then
    columns.drop, columns.drop_reason = true, said.reason
    columns.drop_harmless = drop.is_harmless(said.reason, false)
    columns.drop_reason_text = drop.texts[said.reason] or said.reason_text
    columns.drop_advice = drop.advice(said.reason) or said.filtered and drop.extension_advice or nil
    if drop.is_harmless(said.reason, true) and not columns.drop_harmless then
      columns.if_to_group = setmetatable({ drop_harmless = true }, { __index = columns })
    end
  end
  return columns
end

-- Events of one flow have the same text.
local known, known_count = {}, 0

local function of_message(message, is_vfp)
  local columns = known[message]
  if columns == nil then
    if known_count >= MOST_KNOWN then
      known, known_count = {}, 0
    end
    local said
    if is_vfp then
      said = vfp.read(message)
    else
      said = event.read(event.GUID, message)
    end
    columns = said and row(said, message) or false
    known[message], known_count = columns, known_count + 1
  end
  return columns or nil
end

local function of_data(id, data, message)
  local said = event.user_data(id, data)
  return said and row(said, message)
end

--- Reads a journal entry.
-- @param body string
-- @return nil if it is not an event of the vmSwitch or of VFP that tells of a packet; else what it says, keyed like the
--   columns of the table of fields: verdict, event ..., drop ...; with protocol and info, what the packet list shows of
--   it; said, as `event` or `vfp` gives it; if_to_group: what it says if the packet goes to a group, where that makes
--   its drop harmless. Other events share this table: do not change it.
function M.journal(body)
  if not find(body, "_COMM=", 1, true) then
    return nil
  end
  local fields = event.journal(body)
  if vfp.is_vfp(fields._COMM) then
    return fields.MESSAGE and of_message(fields.MESSAGE, true) or nil
  elseif not event.is_switch(fields._COMM) then
    return nil
  end
  -- What `pywnv convert` leaves beside the text is in no language.
  local id, digits = match(fields.ETW_EVENT or "", "^(%d+)"), fields.ETW_DATA
  if id and digits and #digits <= LONGEST_DATA then
    local data = gsub(digits, "%x%x", function(pair)
      return char(tonumber(pair, 16))
    end)
    local columns = of_data(tonumber(id), data, fields.MESSAGE ~= "" and fields.MESSAGE or nil)
    if columns then
      return columns
    end
  end
  return fields.MESSAGE and of_message(fields.MESSAGE) or nil
end

--- What `pywnv annotate` wrote into a journal entry, or nil.
function M.annotation_of(body)
  local annotated = match(body, "\n" .. annotation.JOURNAL .. "=([^\n%z]*)")
  return annotated and gsub(annotated, " +$", "") or nil
end

-- Whether an event is the vmSwitch's; whether it is VFP's.
local function whose(buf, at, stop, header)
  local provider = at + header - 1 <= stop and sub(buf, at + PROVIDER_AT, at + PROVIDER_AT + 15)
  return provider == PROVIDER, provider == VFP_PROVIDER
end

-- An ETW record as etwdump writes it: behind the header three sizes, then data, message and provider, each padded to 4.
local function etw(buf, at, stop)
  local is_switch, is_vfp = whose(buf, at, stop, ETW_DATA_AT)
  if not is_switch and not is_vfp then
    return nil
  end
  local data_size, message_size = little32(buf, at + ETW_SIZES_AT), little32(buf, at + ETW_SIZES_AT + 4)
  local data_at = at + ETW_DATA_AT
  local message_at = data_at + data_size + -data_size % 4
  local columns
  if message_size > 0 and message_size <= LONGEST_MESSAGE and message_at + message_size - 1 <= stop then
    local message = text.from_utf16(sub(buf, message_at, message_at + message_size - 1))
    columns = of_message((gsub(message, "%z+$", "")), is_vfp)
  end
  if is_switch and not (columns and columns.event) and data_at + data_size - 1 <= stop then
    columns = of_data(little16(buf, at + ID_AT), sub(buf, data_at, data_at + data_size - 1)) or columns
  end
  return columns
end

-- An event in a Netmon file: behind the header two sizes and a byte, extended data, data.
local function netevent(buf, at, stop)
  if not whose(buf, at, stop, NETMON_DATA_AT) then
    return nil
  end
  local extended, size = little16(buf, at + NETMON_SIZES_AT), little16(buf, at + NETMON_SIZES_AT + 2)
  local data_at = at + NETMON_DATA_AT
  if extended > MOST_EXTENDED then
    return nil
  end
  for _ = 1, extended do
    if data_at + 7 > stop then
      return nil
    end
    data_at = data_at + 8 + little16(buf, data_at + 6)
  end
  if data_at + size - 1 > stop then
    return nil
  end
  return of_data(little16(buf, at + ID_AT), sub(buf, data_at, data_at + size - 1))
end

--- How a frame is read, by the kind of its link header, where it is an event: a function of the string that holds it
-- and the indices of its first and last byte; returns as `journal`.
M.readers = { etw = etw, netevent = netevent }

return M
