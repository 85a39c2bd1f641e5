--- Learns from packets once no further sighting is expected: their path, how often each hop showed them, where they
-- began.

local order, path, routes, limits = ...

local max = math.max

local M = {}

local function teach(packet)
  path.stop(packet.flow.class, packet.node)
  if packet.is_proved and (packet.ident == 0 or packet.flow.sender.is_changing) then
    routes.teach(packet)
    order.note_begin(packet.flow.sender, packet, true)
  end
end

--- For one capture.
-- @param store the packets
-- @return function: takes the time of the next frame, and lets the packets teach that were not seen for a while
function M.new(store)
  local settled, next_settles = 0, -math.huge -- the last packet that has taught, or could have; when the next one came
  local waiting = { first = 1, last = 0 } -- ids of packets that were still seen when it was their turn

  return function(time)
    local before = time - limits.settled - 2 * store.disorder
    if before <= next_settles then
      return
    end
    while waiting.first <= waiting.last do
      local packet = store.get(waiting[waiting.first])
      if packet and packet.last_time >= before then
        break
      end
      waiting[waiting.first] = nil
      waiting.first = waiting.first + 1
      if packet then
        teach(packet)
      end
    end
    for id = max(settled + 1, store.oldest), store.newest do
      local packet = store.get(id)
      if packet.first_time >= before then
        next_settles = packet.first_time
        return
      end
      settled = id
      if packet.last_time >= before then
        waiting.last = waiting.last + 1
        waiting[waiting.last] = id
      else
        teach(packet)
      end
    end
    next_settles = before
  end
end

return M
