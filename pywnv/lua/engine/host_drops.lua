--- Which VLAN setting or ACL of the host explains a drop.
--
-- Only drops at a virtual NIC or in a vmSwitch are looked at, and only those whose reason a VLAN setting or an ACL
-- gives. Where the rules would let the packet pass, something else dropped it, and that is said.
-- Sources: WNV Deep Dive part 4; the numbers are those of the table of drop reasons.

local codes, host, vlan, rules, read_packet, nics_of = ...

local byte, floor, format, sub = string.byte, math.floor, string.format, string.sub

-- Filtered, unauthorized, private VLAN, invalid VLAN format, packet filter of the destination, port isolation.
local VLAN_REASONS = { [9] = true, [10] = true, [13] = true, [25] = true, [34] = true, [36] = true }
local SECURITY_POLICY, PORT_ISOLATION = 12, 36
local SWITCH_LOCATIONS = 0xE0002 -- 0xE0002NNN
local MOST_KNOWN = 4096

local M = {}

local function is_ours(reason)
  return reason == nil or reason == SECURITY_POLICY or VLAN_REASONS[reason] == true
end

local function is_group(mac)
  return mac ~= nil and byte(mac) % 2 == 1
end

local function holds(list, value)
  for at = 1, value and #list or 0 do
    if list[at] == value then
      return true
    end
  end
  return false
end

local WAYS = { Ingress = false, Egress = true, Rx = true, Tx = false } -- of pktmon, seen from the NIC

-- Whether a packet goes to a NIC; nil if unknown.
local function goes_to(nic, packet, read)
  if nic.mac and packet.destination_mac == nic.mac then
    return true
  elseif nic.mac and packet.source_mac == nic.mac then
    return false
  elseif holds(nic.addresses, packet.destination) then
    return true
  elseif holds(nic.addresses, packet.source) then
    return false
  end
  local way = WAYS[read and read.direction]
  if way == nil and is_group(packet.destination_mac) then
    return true
  end
  return way
end

--- Notes what a frame shows, for the event that may come next.
-- @param into  a table
-- @param frame as the engine takes it
-- @param read  as `tool_comments.read` gave it, or nil
-- @return the table
function M.note(into, frame, read)
  into.kind, into.buf, into.at, into.stop, into.length = frame.kind, frame.buf, frame.at, frame.stop, frame.length
  into.vlan = read and read.vlan or frame.hop.vlan
  return into
end

-- The first bytes of a frame.
local function bytes_of(sample)
  local stop = sample.at + read_packet.LONGEST - 1
  return sub(sample.buf, sample.at, stop < sample.stop and stop or sample.stop)
end

--- What is kept of a frame until an event tells that it was dropped: it may be long.
-- @param frame, read as `note` takes them
function M.keep(frame, read)
  local kept = M.note({}, frame, read)
  kept.buf = bytes_of(kept)
  kept.at, kept.stop = 1, #kept.buf
  return kept
end

-- The packet of a sample, as the rules take it; and whether its VLAN is known.
local function packet_of(sample)
  local packet = read_packet.read(sample.kind, bytes_of(sample), sample.length)
  packet.is_dropped = true
  local knows = packet.is_tagged
  if not knows and sample.vlan then
    knows, packet.vlan = true, sample.vlan > 0 and sample.vlan or nil
  end
  return packet, knows
end

local function unexplained(nic)
  return "no VLAN setting or ACL of this inventory explains it; what else may: " .. nic.others
end

local function setting_only(nic)
  return format("VLAN of %s: %s; the capture does not show the VLAN of the packet", nic.label, nic.vlan.words)
end

local function key_of(nic, packet, knows_vlan, reason)
  return table.concat({
    nic.label,
    packet.is_inbound and "in" or "out",
    tostring(knows_vlan and (packet.vlan or "untagged")),
    tostring(reason),
    packet.source_mac or "",
    packet.destination_mac or "",
    packet.source or "",
    packet.destination or "",
    packet.protocol or "",
    packet.source_port or "",
    packet.destination_port or "",
    packet.begins and "begins" or "",
  }, "\n")
end

--- What explains the drops of one capture.
-- @return nil if no rules are known; else a table: packet, event
function M.new()
  if not host.nics or not host.nics[1] then
    return nil
  end
  local index, known, count = nil, {}, 0

  -- What drops a packet at a NIC.
  -- @return words, or nil; where nothing does, whether its VLAN is not known and may be why
  local function judge(nic, packet, knows_vlan, reason)
    local sender = nil
    if not knows_vlan and packet.is_inbound then
      sender = index.of_mac(packet.source_mac)
      local sent = sender and sender ~= nic and sender.switch and sender.switch == nic.switch and vlan.of_sender(sender)
      if sent then
        packet.vlan, knows_vlan = sent > 0 and sent or nil, true
      else
        sender = nil
      end
    end
    local by_vlan = knows_vlan and rules.by_vlan(nic, packet)
    by_vlan = by_vlan and by_vlan.rule
    if by_vlan and sender then
      by_vlan = format("%s (as %s sends them)", by_vlan, sender.label)
    end
    local by_acl = rules.by_acl(nic, packet)
    by_acl = by_acl and not by_acl.passes and by_acl.rule
    if reason == PORT_ISOLATION and nic.isolation then
      return format("isolation of %s (%s) lets no untagged packets pass", nic.label, nic.isolation)
    elseif reason == SECURITY_POLICY then
      return by_acl or nil
    elseif VLAN_REASONS[reason] then
      return by_vlan or nil, not knows_vlan
    end
    return by_vlan or by_acl or nil
  end

  local function remembered(nic, packet, knows_vlan, reason)
    local key = key_of(nic, packet, knows_vlan, reason)
    local found = known[key]
    if not found then
      if count >= MOST_KNOWN then
        known, count = {}, 0
      end
      found = { judge(nic, packet, knows_vlan, reason) }
      known[key], count = found, count + 1
    end
    return found[1], found[2]
  end

  -- What can be said where no rule drops it.
  local function otherwise(nic, is_hidden, reason)
    if is_hidden then
      return setting_only(nic)
    end
    return reason and unexplained(nic) or nil
  end

  -- At a NIC.
  local function at_nic(nic, packet, knows_vlan, reason, read)
    packet.is_inbound = goes_to(nic, packet, read)
    if packet.is_inbound == nil then
      return nil
    end
    local words, is_hidden = remembered(nic, packet, knows_vlan, reason)
    return words or otherwise(nic, is_hidden, reason)
  end

  -- In the switch: at the port of the NIC that sent it, or of the one that it goes to.
  local function in_switch(packet, knows_vlan, reason)
    local last, is_last_hidden
    local ends = { index.of_mac(packet.source_mac) or false, index.of_mac(packet.destination_mac) or false }
    for at = 1, 2 do
      local nic = ends[at]
      if nic then
        packet.is_inbound = at == 2
        local words, is_hidden = remembered(nic, packet, knows_vlan, reason)
        if words then
          return words
        elseif is_hidden or not is_last_hidden then
          last, is_last_hidden = nic, is_hidden
        end
      end
    end
    return last and otherwise(last, is_last_hidden, reason) or nil
  end

  local explainer = {}

  --- What explains that a frame was dropped.
  -- @param frame as the engine takes it
  -- @param read  as `tool_comments.read` gave it, or nil
  -- @param facts of the frame
  -- @return words, or nil
  function explainer.packet(frame, read, facts)
    local reason, location, place = facts.drop_reason, facts.drop_location, frame.hop
    if not is_ours(reason) then
      return nil
    end
    index = index or nics_of.new(host.nics)
    local packet, knows_vlan = packet_of(M.note({}, frame, read))
    local nic = index.of_place(place, read, packet)
    if nic then
      return at_nic(nic, packet, knows_vlan, reason, read)
    elseif place.role == codes.role.vSwitch or location and floor(location / 4096) == SWITCH_LOCATIONS then
      return in_switch(packet, knows_vlan, reason)
    end
    return nil
  end

  -- Whether a packet is one of a NIC's, so that an event of that NIC may be about it.
  local function fits(nic, packet)
    if nic.mac and packet.source_mac then
      return packet.destination_mac == nic.mac or packet.source_mac == nic.mac
    end
    return holds(nic.addresses, packet.destination) or holds(nic.addresses, packet.source)
  end

  --- What explains the drop that an event describes.
  -- @param said   what it says, as `record` gives it
  -- @param sample of the packet that it is about, or of the one just before it; nil: none is known
  -- @param proved whether it is about that packet
  -- @return words, or nil
  function explainer.event(said, sample, proved)
    local reason = said.drop_reason
    if not is_ours(reason) or said.drop_rule or said.said.filtered then
      return nil
    end
    index = index or nics_of.new(host.nics)
    local packet, knows_vlan
    if sample then
      packet, knows_vlan = packet_of(sample)
    end
    local nic = index.of_event(said, packet)
    if not nic then
      return nil
    elseif packet and (proved or fits(nic, packet)) then
      local words = at_nic(nic, packet, knows_vlan, reason)
      return words and (proved and words or words .. "; by the packet just before the event")
    elseif VLAN_REASONS[reason] then
      return setting_only(nic)
    elseif reason and not nic.has_acls then
      return unexplained(nic)
    end
    return nil
  end

  return explainer
end

return M
