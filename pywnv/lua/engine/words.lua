--- Puts what the engine decided about a frame into words for people.

local codes = ...

local abs, format, gmatch = math.abs, string.format, string.gmatch

local concat, floor = table.concat, math.floor

local ELLIPSIS = "\226\128\166" -- in UTF-8
local TO = " > "
local MILLISECOND, SECOND = 0.001, 1

local M = {}

--- A time, short: 2.8 us, 12.3 ms, 1.5 s.
function M.duration(seconds)
  local size = abs(seconds)
  if size < MILLISECOND then
    return format("%.1f us", seconds * 1e6)
  elseif size < SECOND then
    return format("%.1f ms", seconds * 1e3)
  end
  return format("%.1f s", seconds)
end

--- Shortens a name to so many characters, by an ellipsis in its middle: names often differ at their end.
function M.short(name, most)
  if #name <= most then
    return name
  end
  local characters = {}
  for character in gmatch(name, "[^\128-\191][\128-\191]*") do
    characters[#characters + 1] = character
  end
  if #characters <= most then
    return name
  end
  local ends = floor((most - 1) / 2)
  return concat(characters, "", 1, most - 1 - ends) .. ELLIPSIS .. concat(characters, "", #characters - ends + 1)
end

--- Where a frame was seen, in at most this many characters: its hop; of an event, the NICs that it names.
-- @return string or nil
function M.place(said, most)
  local from, to = said.event_nic, said.event_destination_nic
  if said.hop or not (from and to) then
    local name = said.hop or from or to
    return name and M.short(name, most)
  end
  local half = floor((most - #TO) / 2)
  return M.short(from, half) .. TO .. M.short(to, half)
end

--- Breaks a text at spaces into lines.
-- @param most   bytes of a line, which only a longer word exceeds
-- @param indent what the lines after the first begin with
-- @return the lines, each with its end
function M.wrapped(text, most, indent)
  local lines, line = {}, nil
  for word in gmatch(text, "%S+") do
    if line and #line + 1 + #word > most then
      lines[#lines + 1], line = line, indent .. word
    else
      line = line and line .. " " .. word or word
    end
  end
  lines[#lines + 1] = line
  return concat(lines, "\n") .. "\n"
end

--- Why a frame was dropped.
function M.reason(said)
  return said.drop_reason_text or "reason not told"
end

local function of_number(word, number)
  return number and format("%s of %d", word, number) or word
end

-- What a frame is, but for where and when.
local kinds = {
  [codes.verdict.original] = function()
    return "first seen"
  end,
  [codes.verdict.duplicate] = function(said)
    return format("duplicate of %d", said.packet)
  end,
  [codes.verdict.segment] = function(said)
    return of_number("segment", said.segment_of)
  end,
  [codes.verdict.coalesced] = function(said)
    return of_number("coalesced", said.segment_of)
  end,
  [codes.verdict["repeat"]] = function(said)
    return of_number("repeat", said.repeat_of)
  end,
  [codes.verdict.retransmission] = function(said)
    return of_number("retransmission", said.repeat_of)
  end,
}

local function late(said)
  local delta = said.hop_delta
  return delta and (delta < 0 and ", " or ", +") .. M.duration(delta) or ""
end

--- What a frame is, for the packet list: "duplicate of 8, +2.8 us"; nil for a first sighting.
function M.mark(said)
  local dropped = said.drop and "dropped: " .. M.reason(said)
  if said.verdict == codes.verdict.original then
    return dropped or nil
  end
  local kind = kinds[said.verdict](said) .. late(said)
  return dropped and format("%s; %s", dropped, kind) or kind
end

local EVENT = {
  [codes.event.received] = "received from",
  [codes.event.routed] = "routed from",
  [codes.event.delivered] = "delivered to",
}

local function event(said)
  local nic = said.event_nic and " NIC " .. said.event_nic or ""
  local switch = said.event_switch and " in switch " .. said.event_switch or ""
  if said.drop then
    return format("dropped at%s%s: %s", nic ~= "" and nic or " the vmSwitch", switch, M.reason(said))
  end
  local to = said.event_destination_nic and " to NIC " .. said.event_destination_nic or ""
  return (EVENT[said.event] or "event of") .. nic .. to .. switch
end

--- What a frame is, where it was seen, how long that took: "duplicate of 8 at pNIC Ethernet 2, +2.8 us".
function M.sentence(said)
  if said.verdict == codes.verdict.event then
    return event(said)
  end
  local at_hop = said.hop and " at " .. said.hop or ""
  if said.drop then
    local dropped = format("dropped%s: %s", at_hop, M.reason(said))
    local kind = said.verdict ~= codes.verdict.original and kinds[said.verdict](said)
    return kind and format("%s; %s%s", dropped, kind, late(said)) or dropped
  end
  return kinds[said.verdict](said) .. at_hop .. late(said)
end

return M
