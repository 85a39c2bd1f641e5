--- Decides whether a packet passes the port of a NIC on the vmSwitch, and by which rule: VLAN, then port ACLs, then
-- extended ACLs. A packet must pass all three.

local vlan, acl = ...

local M = {}

local function decision(passes, decided_by, rule, matched)
  return { passes = passes, decided_by = decided_by, rule = rule, matched = matched }
end

local function port_decision(nic, rule, losers, lists)
  local matched = {}
  for at = 1, lists and #losers or 0 do
    matched[at] = acl.port_words(nic, losers[at])
  end
  return decision(rule.allows, "port-acl", acl.port_words(nic, rule, losers), matched)
end

--- What decides about a packet: the VLAN setting. Nil where it passes.
function M.by_vlan(nic, packet)
  if vlan.passes(nic, packet) then
    return nil
  end
  return decision(false, "vlan", vlan.words(nic, packet), {})
end

--- What decides about a packet that the VLAN setting lets pass; nil if no ACL matches.
-- @param lists whether to say which others matched
function M.by_acl(nic, packet, lists)
  local port, port_losers = acl.port(nic, packet)
  if port and not port.allows then
    return port_decision(nic, port, port_losers, lists)
  end
  local rule, losers, is_answer, answered = acl.extended(nic, packet)
  if not rule then
    return port and port_decision(nic, port, port_losers, lists)
  end
  local matched = {}
  for at = 1, lists and #losers or 0 do
    matched[at] = acl.extended_words(nic, losers[at])
  end
  if port and lists then
    matched[#matched + 1] = acl.port_words(nic, port)
    for at = 1, #port_losers do
      matched[#matched + 1] = acl.port_words(nic, port_losers[at])
    end
  end
  local words = acl.extended_words(nic, rule, not is_answer and losers or nil, is_answer, answered)
  return decision(rule.allows, "extended-acl", words, matched)
end

--- What decides about a packet.
-- @param nic    as pywnv.host.evaluate makes it
-- @param packet table: is_inbound (towards the NIC), and where it has them vlan (its tag's), tags_itself (true: its
--   sender wrote the tag, no port), source_mac, destination_mac, source, destination (addresses as bytes), protocol,
--   source_port, destination_port; begins: true for a TCP SYN; hides_vlan: true if nothing tells whether it is
--   tagged: then no VLAN setting drops it; is_dropped: true if it was, so that it is no answer in a session
-- @return table: passes (boolean), decided_by (vlan, port-acl, extended-acl, none), rule (in words, or nil), matched
--   (list: those that matched too and lost, in words)
function M.evaluate(nic, packet)
  local by_vlan = not packet.hides_vlan and M.by_vlan(nic, packet)
  return by_vlan or M.by_acl(nic, packet, true) or decision(true, "none", nil, {})
end

return M
