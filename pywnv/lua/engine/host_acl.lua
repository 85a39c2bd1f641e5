--- Which port ACL and which extended ACL of a NIC decides about a packet.
--
-- Port ACLs have no order: a MAC overrides a subnet, a longer prefix a shorter one, each of them ANY; Meter does not
-- count. Between equal ones Deny wins. Extended ACLs have weights: the heaviest that matches decides. A stateful one
-- lets answers to what it allowed pass, whatever the rules of their own direction say. ANY is all IPv4 and IPv6: if it
-- also matched ARP, ARP would not pass the rules of Microsoft's own examples.
-- Sources: WNV Deep Dive part 4; Add-VMNetworkAdapterAcl, Add-VMNetworkAdapterExtendedAcl; "Create Security Policies
-- with Extended Port Access Control Lists" (Windows Server documentation).

local byte, floor, format, max, min, sub = string.byte, math.floor, string.format, math.max, math.min, string.sub

local MAC_SIZE, MAC_RANK = 6, 1000 -- bytes; more than any prefix is long
local FIRST_CLIENT_PORT = 32768 -- Windows and Linux take the ports from here on for what they begin

local M = {}

-- Whether an address lies in a network.
-- @param address bytes, or nil
-- @param network nil for ANY; else a table: bytes, length of the prefix in bits
local function lies_in(address, network)
  if not network then
    return true
  end
  local bytes, bits = network.bytes, network.bits
  if not address or #address ~= #bytes then
    return false
  end
  local whole = floor(bits / 8)
  if sub(address, 1, whole) ~= sub(bytes, 1, whole) then
    return false
  end
  local unit = 2 ^ (8 - bits % 8)
  return unit == 256 or floor(byte(address, whole + 1) / unit) == floor(byte(bytes, whole + 1) / unit)
end

local function matches_port(rule, local_side, remote_side)
  local is_any = not rule.at and not rule.to
  return (local_side.ip or not is_any)
    and lies_in(rule.at and #rule.at.bytes == MAC_SIZE and local_side.mac or local_side.ip, rule.at)
    and lies_in(rule.to and #rule.to.bytes == MAC_SIZE and remote_side.mac or remote_side.ip, rule.to)
end

-- The sides of a packet: that of the NIC, and the other.
local function sides(packet)
  local source = { mac = packet.source_mac, ip = packet.source, port = packet.source_port }
  local destination = { mac = packet.destination_mac, ip = packet.destination, port = packet.destination_port }
  if packet.is_inbound then
    return destination, source
  end
  return source, destination
end

local function rank(network)
  if not network then
    return -1
  end
  return #network.bytes == MAC_SIZE and MAC_RANK or network.bits
end

-- The rank of a rule's more specific side, and of its other one.
local function ranks(rule)
  local here, there = rank(rule.at), rank(rule.to)
  return max(here, there), min(here, there)
end

-- Whether a port ACL overrides another one that matches too.
local function beats(rule, other)
  local best, second = ranks(rule)
  local other_best, other_second = ranks(other)
  if best ~= other_best then
    return best > other_best
  elseif second ~= other_second then
    return second > other_second
  end
  return not rule.allows and other.allows
end

-- Why a port ACL wins against the strongest of those that it overrides.
local function why_it_wins(rule, other)
  local best, second = ranks(rule)
  local other_best, other_second = ranks(other)
  if best > other_best then
    return best == MAC_RANK and "MAC before subnet and ANY, of" or "longest prefix of"
  elseif second > other_second then
    return "the most specific of"
  end
  return rule.allows == other.allows and "the first of" or "Deny before Allow, of"
end

--- The port ACL that decides about a packet.
-- @return it, or nil if none matches; those that match and lose
function M.port(nic, packet)
  local here, there = sides(packet)
  local rules = packet.is_inbound and nic.inbound or nic.outbound
  local winner, losers = nil, {}
  for at = 1, #rules do
    local rule = rules[at]
    if matches_port(rule, here, there) then
      if not winner then
        winner = rule
      elseif beats(rule, winner) then
        losers[#losers + 1], winner = winner, rule
      else
        losers[#losers + 1] = rule
      end
    end
  end
  return winner, losers
end

--- A port ACL in words.
-- @param losers rules that it overrides; nil: not given
function M.port_words(nic, rule, losers)
  local words = format("port ACL of %s: %s", nic.label, rule.words)
  if not losers or not losers[1] then
    return words
  end
  local strongest = losers[1]
  for at = 2, #losers do
    strongest = beats(losers[at], strongest) and losers[at] or strongest
  end
  return format("%s (%s %d that match)", words, why_it_wins(rule, strongest), #losers + 1)
end

local function in_range(port, ranges)
  if not ranges then
    return true
  end
  for at = 1, port and #ranges or 0, 2 do
    if ranges[at] <= port and port <= ranges[at + 1] then
      return true
    end
  end
  return false
end

local function matches_extended(rule, packet, here, there)
  return here.ip ~= nil
    and (not rule.protocol or rule.protocol == packet.protocol)
    and in_range(here.port, rule.at_ports)
    and in_range(there.port, rule.to_ports)
    and lies_in(here.ip, rule.at)
    and lies_in(there.ip, rule.to)
end

local function first_match(rules, packet, here, there)
  for at = 1, #rules do
    if matches_extended(rules[at], packet, here, there) then
      return rules[at], at
    end
  end
  return nil
end

-- Whether the ports are those of a client that asks a server: the server's is the lower one.
local function asks(packet)
  local from, to = packet.source_port, packet.destination_port
  return from and to and from > to and to < FIRST_CLIENT_PORT
end

-- The stateful rule of the other direction that lets the packet pass as an answer; nil if none does.
local function session(nic, packet, here, there)
  if packet.begins then -- a SYN alone answers nothing
    return nil
  end
  local rule = first_match(packet.is_inbound and nic.extended_outbound or nic.extended_inbound, packet, here, there)
  if rule and rule.stateful and rule.allows and (rule.at_ports or rule.to_ports or not asks(packet)) then
    return rule
  end
  return nil
end

--- The extended ACL that decides about a packet.
-- @return it, or nil if none matches; those that match and lose; whether the packet passes as an answer; the
--   stateful rule whose answers would pass, where the packet does not
function M.extended(nic, packet)
  local here, there = sides(packet)
  local rules = packet.is_inbound and nic.extended_inbound or nic.extended_outbound
  local winner, found = first_match(rules, packet, here, there)
  local losers = {}
  for at = found and found + 1 or 1, found and #rules or 0 do
    if matches_extended(rules[at], packet, here, there) then
      losers[#losers + 1] = rules[at]
    end
  end
  local answered = winner and not winner.allows and session(nic, packet, here, there) or nil
  if answered and not packet.is_dropped then
    table.insert(losers, 1, winner)
    return answered, losers, true
  end
  return winner, losers, false, answered
end

--- An extended ACL in words.
-- @param losers rules that it overrides; nil: not given
-- @param is_answer, answered as `extended` returned them
function M.extended_words(nic, rule, losers, is_answer, answered)
  local why = format("weight %d", rule.weight)
  if is_answer then
    why = why .. ", stateful: an answer to what it let through passes"
  elseif losers and losers[1] then
    why = format("%s, the highest of %d that match", why, #losers + 1)
  end
  local words = format("extended ACL of %s: %s (%s)", nic.label, rule.words, why)
  if answered then
    words = format("%s; in a session that %s (stateful) let through it would pass", words, answered.words)
  end
  return words
end

return M
