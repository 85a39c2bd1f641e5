--- Why Windows dropped a packet, and what to look at.

local drops, text = ...

local byte, find, floor, gsub, lower, sub = string.byte, string.find, math.floor, string.gsub, string.lower, string.sub

local LONGEST_TEXT = 500 -- bytes; Windows' own are shorter

-- Drop locations are 0xE000LNNN.
local LOCATIONS, FAMILY_SIZE = 0xE0000000, 0x1000

local M = {
  texts = drops.texts, -- by number: the names of the field wnv.drop.reason
  brief = drops.brief, -- by number: instead of texts that are too long for a column
  extension_advice = drops.extension_advice, -- where an extension of the vmSwitch dropped
}

--- The number that a text stands for, in any case and in each of Windows' spellings; nil if it is not one of them.
function M.number(reason)
  if #reason > LONGEST_TEXT then
    return nil
  end
  reason = text.trim(gsub(lower(reason), "%s+", " "))
  if find(reason, "^%d+$") then
    return text.number(reason)
  end
  return drops.numbers[reason] or drops.numbers[sub(reason, -1) == "." and sub(reason, 1, -2) or reason]
end

local function family(location)
  local number = location and floor((location - LOCATIONS) / FAMILY_SIZE)
  return number and drops.families[number] and number
end

--- Which part of Windows dropped: "vmSwitch", "TCP/IP" ...; nil if the location does not say.
function M.family(location)
  return drops.families[family(location)]
end

--- Whether a packet goes to a group or to all: by its MAC address or, where none was captured, by its IP address.
-- @param frame as `frame.read` gives it
function M.is_to_group(frame)
  local key, kind = frame.key, byte(frame.key, 1)
  if frame.l2 then
    return byte(frame.buf, frame.l2) % 2 == 1
  elseif kind == 4 then
    return byte(key, 13) >= 224 or byte(key, 16) == 255 -- of most networks, all of them
  end
  return kind == 6 and byte(key, 21) == 255
end

--- Whether such drops do no harm.
function M.is_harmless(reason, is_to_group)
  local which = drops.harmless[reason]
  return which == "all" or which == "group" and is_to_group or false
end

--- What to look at; nil if nothing is known.
-- @param reason, location numbers, or nil
function M.advice(reason, location)
  local at = drops.advice_of_reason[reason] or drops.advice_of_family[family(location)]
  return drops.advice[at]
end

return M
