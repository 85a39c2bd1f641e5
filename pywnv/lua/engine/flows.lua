--- Flows, their senders and their classes: what packets of one pair of ends have in common.
--
-- They are kept in two generations each, so that what was not used for long is forgotten.

local frame_of, path, limits = ...

local byte, sub = string.byte, string.sub

local V4, V6 = frame_of.V4, frame_of.V6

local M = {}

-- A table of two generations.
-- @return functions: of a name, what is known by it, or nil; to make it known; of such, whether it is in the young one
local function generations(most)
  local young, old, count, turn = {}, {}, 0, 0
  local function put(name, known)
    if count >= most then
      old, young, count, turn = young, {}, 0, turn + 1
    end
    young[name], count, known.turn = known, count + 1, turn
    return known
  end
  local function find(name)
    local known = young[name]
    if known then
      return known
    end
    known = old[name]
    return known and put(name, known)
  end
  return find, put, function(known)
    return known.turn == turn
  end
end

local function new_class()
  local class = path.ways()
  class.routes, class.route_count = {}, 0
  return class
end

local function new_sender()
  return { begins = {}, begin_count = 0, idents = {}, next = 1, is_changing = false, turn = 0 }
end

--- Counts how often equal packets of a flow are on their way at once; those without a mark count less and less.
-- @param is_crowd whether another one was on its way together with this one; nil: this one got no mark
function M.note_crowd(flow, is_crowd)
  if is_crowd == nil then
    flow.crowds = flow.crowds * (1 - 1 / limits.taught)
  else
    local what = is_crowd and "crowds" or "apart"
    flow[what] = flow[what] + 1
  end
  if flow.crowds + flow.apart >= 2 * limits.taught then
    flow.crowds, flow.apart = flow.crowds / 2, flow.apart / 2
  end
end

--- The flows of one capture.
-- @return table: of, back
function M.new()
  local find_flow, put_flow, is_young = generations(limits.flows)
  local find_sender, put_sender = generations(limits.senders)
  local find_class, put_class = generations(limits.senders)
  local last_id = 0
  local flows = {}

  local function make(name, sender, class)
    last_id = last_id + 1
    local flow = {
      id = last_id, number = 0, repeats = 0, crowds = 0, apart = 0, counted = 0, drawn = 0, sender = false,
      class = false, turn = 0, back = false, last_id = false, last_ident = false, sent = false, acks = false,
      is_changing = false,
    } -- with what few flows have, it would be twice as large
    flow.sender = find_sender(sender) or put_sender(sender, new_sender())
    flow.class = find_class(class) or put_class(class, new_class())
    return put_flow(name, flow)
  end

  --- The flow of a frame.
  -- @param network the virtual network that it is in, or nil: there, others may have the same addresses
  -- @return table: id, sender, class; and what others keep in it
  function flows.of(frame, network)
    local key = frame.key
    local version = byte(key, 1)
    local at = version == 4 and V4 or version == 6 and V6
    network = network or ""
    if not at then -- who sent to whom, as far as the link header tells
      local l2 = frame.l2
      l2 = l2 and l2 - frame.at + 1
      local ends = l2 and sub(frame.header, l2, l2 + 11) or frame.header
      local name = network .. ends
      return find_flow(name) or make(name, network .. sub(ends, 7), name)
    end
    local name = sub(key, at.flow, at.rest - 1)
    if network ~= "" then
      name = network .. name
    end
    local flow = find_flow(name)
    if flow then
      return flow
    end
    return make(name, network .. sub(key, at.source, at.target - 1), network .. sub(key, at.source, at.ports - 1))
  end

  --- The flow the other way.
  -- @param flow of the frame
  function flows.back(flow, frame, network)
    local back = flow.back
    if back and is_young(back) then
      return back
    end
    local key = frame.key
    local at = frame_of.layout(key)
    local source, target = sub(key, at.source, at.target - 1), sub(key, at.target, at.ports - 1)
    network = network or ""
    local name = network .. sub(key, at.flow, at.flow) .. target .. source .. sub(key, at.ports + 2, at.ports + 3) ..
      sub(key, at.ports, at.ports + 1)
    back = find_flow(name) or make(name, network .. target, network .. target .. source)
    flow.back = back
    return back
  end

  return flows
end

return M
