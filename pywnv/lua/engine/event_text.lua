--- Reads the texts of the vmSwitch's events, in any language.
--
-- Sources: WNV Deep Dive part 4; rahul24/Tech-O-articles (messages of a NetEventSession trace).

local codes, text, drop = ...

local gsub, lower, sub = string.gsub, string.lower, string.sub
local find, match = string.find, string.match

local LONGEST_TEXT = 8192 -- bytes; a name has 256 characters at most, an event six of them
local MOST_NAMES = 8 -- an event has three

local RECEIVED, ROUTED = codes.event.received, codes.event.routed
local DELIVERED, DROPPED = codes.event.delivered, codes.event.dropped

local M = {}

local function clean(name)
  name = name and text.clean(name)
  return name ~= "" and name or nil
end

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
      local id = match(gaps[at], "[Nn][Ii][Cc]%s+(%S+)%s*$")
      said.nic_id = said.nic_id or id
      said.destination_id = nics == 2 and id or said.destination_id
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
    nic_id = nic,
    destination_nic = event == ROUTED and clean(match(message, "%sto%s+[Nn][Ii][Cc]%s+(%S+)")) or nil,
    switch = clean(match(message, "%s[io]n%s+switch%s+([^%s,]+)")),
  }
end

--- Reads the text of an event.
-- @param message string
-- @return nil if it is about no packet; else a table: event (a code of `event`; none if the language is not
--   known), nic (the one named first), destination_nic, switch; buffer, nic_id (of that NIC) and destination_id, where
--   the text has them: the same for all events of one NBL while it is on its way; and for a dropped packet: drop
--   (true), reason (number), reason_text, filtered (true: by an extension of the switch)
function M.read(message)
  if not message or #message > LONGEST_TEXT then
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
  if said then
    said.buffer = match(message, "%f[%w]NBL%s+(0[Xx]%x+)")
    said.nic_id = said.nic_id and lower(clean(said.nic_id) or "")
  end
  if said and said.event == DROPPED then
    said.drop = true
    said.reason_text = reason
    said.reason = reason and drop.number(reason)
    said.filtered = find(words, "filtered", 1, true) and true or nil
  end
  return said
end

return M
