--- Whose packets count.

local _, codes = ...

local find, lower, sub = string.find, string.lower, string.sub

local TO, FROM = "to", "from"

local LEAVES = { [codes.event.received] = true, [codes.event.routed] = true } -- events that name the NIC it came from

local M = {}

--- Where an event reports a drop: the NIC and the switch, or nil.
function M.place_of(said)
  if said.event_nic and said.event_switch then
    return ("%s in switch %s"):format(said.event_nic, said.event_switch)
  end
  return said.event_nic or said.event_switch
end

local function by_address(ip)
  return function(ends)
    return ends.source == ip and FROM or ends.destination == ip and TO or nil
  end
end

local function by_flow(one, one_port, other, other_port)
  return function(ends)
    if not ends.source_port then
      return nil
    end
    local source, destination = ends.source_port, ends.destination_port
    if ends.source == one and source == one_port and ends.destination == other and destination == other_port then
      return FROM
    elseif ends.source == other and source == other_port and ends.destination == one and destination == one_port then
      return TO
    end
    return nil
  end
end

-- By the name of a hop or of a NIC, in any case: the whole name, with or without its role, or any part of it.
local function by_nic(nic, any_part)
  nic = lower(nic)
  local known = {}
  local function is_it(name)
    local found = name and known[name]
    if found == nil and name then
      local small = lower(name)
      found = small == nic or sub(small, -#nic - 1) == " " .. nic or any_part and find(small, nic, 1, true) ~= nil
      known[name] = found
    end
    return found
  end
  return function(_, said)
    if said.event then
      if LEAVES[said.event] and is_it(said.event_nic) then
        return FROM
      end
      local is_at = said.drop and lower(M.place_of(said) or "") == nic
      return (is_at or is_it(said.event_nic) or is_it(said.event_destination_nic)) and TO or nil
    end
    return (is_it(said.hop) or is_it(said.nic)) and (said.previous and TO or FROM) or nil
  end
end

--- A function that says of a packet which way it goes: to or from what was selected; nil if it was not.
-- @param wanted a table: ip; nic, any_part; or one, one_port, other, other_port; nil: all are selected
-- @return function of the packet's ends and of what is said of its frame; nil if all are selected
function M.new(wanted)
  if not wanted then
    return nil
  elseif wanted.ip then
    return by_address(wanted.ip)
  elseif wanted.nic then
    return by_nic(wanted.nic, wanted.any_part)
  end
  return by_flow(wanted.one, wanted.one_port, wanted.other, wanted.other_port)
end

return M
