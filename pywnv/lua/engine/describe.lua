--- Puts what was decided into the columns of the table of fields.

local codes, path, decide, facts = ...

local floor = math.floor
local text_of = path.text

local NANO = 1e9

local M = {}

-- The names in a sum of REWRITTEN, in the order of the table.
local function rewritten_names(what)
  local names = {}
  for bit = 0, #codes.rewritten_names do
    if floor(what / 2 ^ bit) % 2 == 1 then
      names[#names + 1] = codes.rewritten_names[bit + 1]
    end
  end
  return table.concat(names, ",")
end

local rewritten_text = {}
for what = 1, 2 ^ #codes.rewritten_names - 1 do
  rewritten_text[what] = rewritten_names(what)
end

-- Whether more was rewritten than the link header.
local function is_rewritten(what)
  local code = codes.rewritten
  return what % (2 * code.checksum) >= code.ttl or what % (2 * code.nat) >= code.nat
end

--- The verdict of a rule, by its number: a code.
function M.verdict(rule)
  return decide.verdict[rule] or codes.verdict.original
end

--- Fills a table, keyed like the columns of the table of fields, with what was decided for a frame.
-- @param into      the table, always used for packets; what does not apply becomes nil
-- @param node      of its path
-- @param packet, previous  frame numbers; previous is nil for a first appearance
-- @param rule      the number of the rule that decided; 0: none
-- @param rewritten code
-- @param delta, elapsed    seconds, or nil
-- @param segment_of, repeat_of  frame numbers, or nil
-- @param known     the frame's facts as `found` had them, or nil
function M.packet(into, node, packet, previous, rule, rewritten, delta, elapsed, segment_of, repeat_of, known)
  into.packet, into.appearance, into.duplicate = packet, node.depth, previous ~= nil
  into.duplicate_of, into.previous = previous and packet, previous
  into.verdict, into.rule = M.verdict(rule), decide.names[rule]
  into.repeat_of = repeat_of
  into.evidence = previous
    and (decide.evidence[rule] or is_rewritten(rewritten) and codes.evidence.rewritten or codes.evidence.bytes)
  into.rewritten, into.segment_of = rewritten_text[rewritten], segment_of
  into.hop, into.hop_role, into.path = node.hop.name, node.hop.name and node.hop.role, text_of(node)
  into.hop_delta = delta and floor(delta * NANO + 0.5) / NANO
  into.hop_elapsed = elapsed and floor(elapsed * NANO + 0.5) / NANO
  known = known or node.hop.facts or facts.NONE
  if into.facts ~= known then
    into.facts = known
    into.direction, into.vlan, into.port, into.nic = known.direction, known.vlan, known.port, known.nic
    into.nic_type, into.pid = known.nic_type, known.pid
    into.drop, into.drop_reason, into.drop_reason_text = known.drop, known.drop_reason, known.drop_reason_text
    into.drop_location, into.drop_advice = known.drop_location, known.drop_advice
    into.drop_harmless = known.drop_harmless
    into.drop_rule = known.drop_rule
  end
end

--- Fills a table with what an event says, as `packet` does.
-- @param into the table, always used for events
-- @param said, near_packet, packet, rule  as `journal` returned them
function M.event(into, said, near_packet, packet, rule)
  into.verdict, into.event_near, into.event_packet = said.verdict, near_packet, packet
  into.event, into.event_nic, into.event_destination_nic = said.event, said.event_nic, said.event_destination_nic
  into.event_switch, into.drop, into.drop_reason = said.event_switch, said.drop, said.drop_reason
  into.drop_reason_text, into.drop_advice = said.drop_reason_text, said.drop_advice
  into.drop_harmless = said.drop_harmless
  into.drop_rule = rule or said.drop_rule
  into.protocol, into.info = said.protocol, said.info
end

return M
