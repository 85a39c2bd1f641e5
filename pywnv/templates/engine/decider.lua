--- Decides packets: which frames show one, and which way it goes. All that it learns of a capture, it learns from the
-- frames that it has taken.

local key, packets, direction = ...

local max, sub = math.max, string.sub

local M = {}

--- A decider that has taken nothing yet.
-- @param window longest time between two sightings of one packet, in seconds
-- @param owner  as `direction.new` takes it
-- @return table: read, take, undo, learned; found
function M.new(window, owner)
  local grouping, ways = packets.new(window), direction.new(owner)
  local found = grouping.found
  local has_skipped = false -- whether packets came before a place or a MAC was known that can tell a direction
  local taken_at, directed_at, undo_skipped -- for undo: the numbers of the last frame, and of the last with a direction
  local decider = { found = found, learned = grouping.learned }

  --- Reads a frame, as `engine.read` does.
  function decider.read(frame)
    key.read(frame, grouping.span)
  end

  --- Takes the next frame.
  -- @param frame as `engine.frame` takes it; its span is nil where it has not been read
  -- @param noted the direction that the capture tool noted, or nil
  -- @param is_directed whether anything can tell a direction
  -- @return the node of its path; a code of `direction`, or nil. What else was found stands in `found`
  function decider.take(frame, noted, is_directed)
    local number, time, place = frame.number, frame.time, frame.hop
    taken_at, undo_skipped = number, has_skipped
    local node, macs, way
    if not time then
      node = grouping.alone(number, place)
    else
      if not frame.span then
        key.read(frame, grouping.span)
      end
      if frame.cut and frame.room < grouping.span then
        grouping.shorten(max(frame.room, 0))
      end
      if frame.span ~= grouping.span then
        key.read(frame, grouping.span)
      end
      node = grouping.step(frame)
      if is_directed and place.kind == "ethernet" and frame.form ~= "wifi" and frame.at + 11 <= frame.stop then
        macs = sub(frame.buf, frame.at, frame.at + 11)
      end
    end
    if noted or is_directed then
      directed_at = number
      way = ways.step(time, node, found.elapsed, noted, macs, not has_skipped)
    end
    has_skipped = has_skipped or not is_directed
    return node, way
  end

  --- Takes back a frame, if it was the last that was taken.
  function decider.undo(number)
    if directed_at == number then
      ways.undo()
      directed_at = nil
    end
    if taken_at == number then
      grouping.undo()
      has_skipped, taken_at = undo_skipped, nil
    end
  end

  return decider
end

return M
