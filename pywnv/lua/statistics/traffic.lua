--- Flows: both ways of each, how much they carry, and their trouble. The most important are kept.

local limits = ...

local sort, byte = table.sort, string.byte

local OTHERS = "(others)"

local M = {}

-- What makes a flow worth keeping: trouble counts for a hundred packets.
local function weight(flow)
  local trouble = flow.dropped + flow.near + flow.retransmissions + flow.repeats + flow.unanswered
  return flow.packets + flow.back + 100 * trouble
end

local function is_before(one, other)
  local a, b = weight(one), weight(other)
  if a ~= b then
    return a > b
  end
  return one.first_frame < other.first_frame
end

local function hash(text)
  local sum = 0
  for at = 1, #text do
    sum = (sum * 31 + byte(text, at)) % 65521
  end
  return sum
end

--- The flows of one capture.
-- @return table: of, count_addresses, sorted; addresses, protocols: packets by name
function M.new()
  local flows, list = {}, {}
  local traffic = { addresses = {}, protocols = {} }
  local address_count, protocol_count = 0, 0

  local function prune()
    sort(list, is_before)
    local kept = {}
    flows = {}
    for at = 1, limits.kept_flows do
      local flow = list[at]
      kept[at], flows[flow.name], flows[flow.back_name] = flow, flow, flow
    end
    list = kept
  end

  --- Gives the ends of a packet their names, which are equal for all packets of a flow's way.
  function traffic.name(ends)
    local protocol, source, destination = ends.protocol, ends.source or "", ends.destination or ""
    local from, to = ends.source_port or "", ends.destination_port or ""
    ends.name = protocol .. ">" .. source .. "|" .. from .. ">" .. destination .. "|" .. to
    ends.back_name = protocol .. ">" .. destination .. "|" .. to .. ">" .. source .. "|" .. from
  end

  --- The flow of a packet, in which it is counted. Its `pair` is the class of its addresses, from 0.
  function traffic.of(ends, number, length)
    local flow = flows[ends.name]
    if not flow then
      if #list >= limits.flows then
        prune()
      end
      flow = {
        name = ends.name, back_name = ends.back_name, protocol = ends.protocol, source = ends.source,
        destination = ends.destination, source_port = ends.source_port, destination_port = ends.destination_port,
        packets = 0, back = 0, octets = 0, dropped = 0, dropped_harmless = 0, near = 0, retransmissions = 0,
        repeats = 0, unanswered = 0, first_frame = number, last_frame = number,
        pair = (hash(ends.source or "") + hash(ends.destination or "")) % limits.pairs, -- the same both ways
      }
      list[#list + 1], flows[ends.name], flows[ends.back_name] = flow, flow, flow
    end
    local way = ends.name == flow.name and "packets" or "back"
    flow[way] = flow[way] + 1
    flow.octets, flow.last_frame = flow.octets + length, number
    return flow
  end

  local function count_protocol(name)
    local known = traffic.protocols[name]
    if not known then
      if protocol_count >= limits.protocols then
        name = OTHERS
      end
      protocol_count, known = protocol_count + 1, traffic.protocols[name] or 0
    end
    traffic.protocols[name] = known + 1
  end

  local function count(name)
    local known = traffic.addresses[name]
    if not known then
      if address_count >= limits.addresses then
        return
      end
      address_count, known = address_count + 1, 0
    end
    traffic.addresses[name] = known + 1
  end

  --- Counts who sends and gets packets.
  function traffic.count_addresses(ends)
    count_protocol(ends.protocol)
    if ends.source then
      count(ends.source)
    end
    if ends.destination then
      count(ends.destination)
    end
  end

  --- The most important flows.
  function traffic.sorted()
    sort(list, is_before)
    local found = { is_list = true }
    for at = 1, math.min(limits.told_flows, #list) do
      found[at] = list[at]
      list[at].name, list[at].back_name, list[at].pair = nil, nil, nil
    end
    return found
  end

  return traffic
end

return M
