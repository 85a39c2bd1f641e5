--- Puts what the engine decided about a frame into words for people.

local codes, drop = ...

local abs, find, format, gmatch = math.abs, string.find, string.format, string.gmatch
local gsub, match, sub = string.gsub, string.match, string.sub

local concat, floor = table.concat, math.floor

local ELLIPSIS = "\226\128\166" -- in UTF-8
local TO, ON = " > ", " on "
local MILLISECOND, SECOND = 0.001, 1
local LEAST_DRIVER, LEAST_ADAPTER = 3, 10 -- characters
local LEAST_ROOM = 20 -- characters: in fewer, two names are no more than their first and last letters

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

local EDGE = "^(.+)( [LU][op][wp]er)$" -- Lower or Upper

-- Shortens the name of a driver that ends with its edge, Lower or Upper; the edge stays: wfp... Lower.
local function at_edge(name, most)
  local driver, edge = match(name, EDGE)
  if driver and #name > most and most - #edge >= LEAST_DRIVER then
    return M.short(driver, most - #edge) .. edge
  end
  return M.short(name, most)
end

-- Two names with a word between them: each has half of the room, and what the other leaves.
-- @param shorten how
-- @param least   how little the second may have, where the first needs the rest; nil: half
local function joined(first, word, second, most, shorten, least)
  local room = most - #word
  local half = floor(room / 2)
  local of_first = math.max(half, room - #second, math.min(#first, room - (least or room)))
  return shorten(first, of_first) .. word .. shorten(second, room - math.min(of_first, #first))
end

-- Roles that a hop's colour tells.
local ROLES = {
  { "^filter ", "" },
  { "^protocol ", "" },
  { ": filter ", ": " }, -- behind the observer, in a joined capture
  { ": protocol ", ": " },
}
-- What else a long name of a hop can do without: a driver behind which a description stands, how a driver's name ends.
local DRIVERS = {
  { "%S+%.sys %(([^()]+)%)", "%1" },
  { "%.sys ", " " },
}

-- Leaves out of a name, one after the other, until it has at most so many bytes.
local function spared(name, most, parts)
  for at = 1, #parts do
    if #name <= most then
      break
    end
    name = gsub(name, parts[at][1], parts[at][2], 1)
  end
  return name
end

-- The name of a hop without what it can spare, as far as it has more than so many bytes.
local function bare(name, most)
  return #name > most and spared(spared(name, most, ROLES), most, DRIVERS) or name
end

--- Shortens a name of a hop so that component, adapter and edge can still be told: filter pacer.sys Upper on Ethernet
-- 2, Realtek USB GbE Family Controller on Ethernet (dock) Ingress.
function M.hop(name, most)
  name = bare(name, most)
  if #name <= most then
    return name
  end
  local place, edge = match(name, "^(.+)( %a+gress)$")
  if not place then
    place, edge = name, ""
  end
  local component, adapter = match(place, "^(.+) on (.+)$")
  local room = most - #edge
  local is_joined = component and #place > room and room >= LEAST_ROOM
  local least = is_joined and match(component, EDGE) and LEAST_ADAPTER or nil -- its drivers must be told apart
  return (is_joined and joined(component, ON, adapter, room, at_edge, least) or M.short(place, room)) .. edge
end

--- A step from one hop to another, in at most so many characters; between two drivers of one adapter: xdp Lower > xdp
-- Upper on Ethernet 2.
function M.step(from, to, most)
  local driver, adapter = match(from, "^(.+)( on .+)$")
  if driver and #from + #TO + #to > most and sub(to, -#adapter) == adapter then
    from, to = bare(driver .. " ", 0):sub(1, -2), bare(to, 0)
  end
  return joined(from, TO, to, most, M.hop)
end

--- Where a frame was seen, in at most this many characters: its hop, or for an event the NICs that it names. A driver
-- on an adapter is named without its role, so that all filters of the adapter look alike in a list.
-- @return string or nil
function M.place(said, most)
  local from, to = said.event_nic, said.event_destination_nic
  local name = said.hop
  if name then
    return M.hop(find(name, ON, 1, true) and spared(name, 0, ROLES) or name, most)
  elseif from and to then
    return joined(from, TO, to, most, M.short)
  end
  name = from or to
  return name and M.short(name, most)
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

--- Why a frame was dropped; of a reason that only a newer Windows knows, its number.
function M.reason(said)
  return said.drop_reason_text or said.drop_reason and format("reason %d", said.drop_reason) or "reason not given"
end

-- The same, in few words where Windows' are too many for a column.
local function brief(said)
  return drop.brief[said.drop_reason] or M.reason(said)
end

--- That a frame was dropped, and why: "dropped: Filtered VLAN".
function M.dropped(said)
  return (said.drop_harmless and "dropped (harmless): " or "dropped: ") .. brief(said)
end

local RULE_OF_NIC = "^(%l* ?%u+) of (.-): (.+)$" -- port ACL, extended ACL, VLAN
local NO_RULE = "^no VLAN setting or ACL "

--- What best explains a drop, in a column: the rule of the host, before the NIC that has it, else the reason; nil for a
-- frame that was not dropped.
function M.why(said)
  local rule = said.drop_rule
  if not said.drop then
    return nil
  elseif not rule or find(rule, NO_RULE) then
    return brief(said)
  end
  return (gsub(rule, RULE_OF_NIC, "%1: %3, at %2"))
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

-- How long after the first sighting, whose number stands beside it.
local function late(said)
  local elapsed = said.hop_elapsed
  return elapsed and (elapsed < 0 and ", " or ", +") .. M.duration(elapsed) or ""
end

--- What a frame is, for the packet list: "duplicate of 8, +2.8 us"; nil for a first sighting, and for an event that
-- tells of no drop.
function M.mark(said)
  local dropped, kind = said.drop and M.dropped(said), nil
  if said.verdict == codes.verdict.event then
    kind = dropped and said.event_packet and format("packet %d", said.event_packet)
  elseif said.verdict ~= codes.verdict.original then
    kind = kinds[said.verdict](said) .. late(said)
  end
  return dropped and kind and format("%s; %s", dropped, kind) or dropped or kind or nil
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
    return format("%s, at%s%s", M.dropped(said), nic ~= "" and nic or " the vmSwitch", switch)
  end
  local to = said.event_destination_nic and " to NIC " .. said.event_destination_nic or ""
  return (EVENT[said.event] or "event of") .. nic .. to .. switch
end

--- What a frame is, where it was seen, how long after the first sighting: "duplicate of 8 at pNIC Ethernet 2, +2.8 us".
function M.sentence(said)
  if said.verdict == codes.verdict.event then
    return event(said)
  end
  local at_hop = said.hop and " at " .. said.hop or ""
  if said.drop then
    local dropped = M.dropped(said) .. (at_hop ~= "" and "," .. at_hop or "")
    local kind = said.verdict ~= codes.verdict.original and kinds[said.verdict](said)
    return kind and format("%s; %s%s", dropped, kind, late(said)) or dropped
  end
  return kinds[said.verdict](said) .. at_hop .. late(said)
end

return M
