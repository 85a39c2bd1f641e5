--- Reads the events of VFP, the switch extension behind Hyper-V firewall and Azure's networks, about packets that one
-- of its rules blocked.
--
-- Block rule with ID {..} processed inbound packets on port 2 (Name = .., FriendlyName = ..) with status = ..: flow id
-- {src ip = .., dst ip = .., protocol = 1, icmp type = ..}, rule {layer = .., group = .., rule id = .., gftFlags = 0}
-- Source: microsoft/WSL#10989 (a trace in text). The texts of other languages are not known.

local codes, text = ...

local find, format, gsub, lower, match = string.find, string.format, string.gsub, string.lower, string.match

local LONGEST_TEXT, LONGEST_RULE = 4096, 400 -- bytes

local M = {}

--- Whether a provider, by its name or GUID as any tool writes them, is VFP.
function M.is_vfp(provider)
  if not provider or #provider > 64 then
    return false
  end
  local name = gsub(lower(provider), "[{}]", "")
  return name == M.GUID or gsub(name, "_", "-") == "microsoft-windows-hyper-v-vfpext"
end

M.GUID = "9f2660ea-cfe7-428f-9850-aeca612619b0"

local function clean(value)
  value = value and text.clean(value)
  return value ~= "" and value or nil
end

--- Reads the text of an event.
-- @param message string
-- @return nil if it is about no packet that a rule blocked; else a table: event (a code of `event`), nic, drop
--   (true), rule (VFP's, in words)
function M.read(message)
  if not message or #message > LONGEST_TEXT or not find(message, "^Block rule with ID ") then
    return nil
  end
  message = gsub(message, "%c+", " ")
  local form = "^Block rule with ID (%S+) processed (%a+) packets on port (%d+) %((.-)%) with "
  local id, way, port, names = match(message, form)
  if not id then
    return nil
  end
  local rule = match(message, "rule {(.*)$") or ""
  local layer, group = match(rule, "layer = ([^,]*),"), match(rule, "group = ([^,]*),")
  local where = {}
  where[#where + 1] = clean(group) and "group " .. clean(group)
  where[#where + 1] = clean(layer) and "layer " .. clean(layer)
  where[#where + 1] = way .. " at port " .. port
  local words = format("VFP: block rule %s (%s)", id, table.concat(where, ", "))
  return {
    event = codes.event.dropped,
    nic = clean(match(names, "FriendlyName = (.*)$")) or clean(match(names, "^Name = (.-),")),
    nic_id = lower(clean(match(names, "^Name = (.-),")) or ""),
    drop = true,
    rule = text.clean(words, LONGEST_RULE),
  }
end

return M
