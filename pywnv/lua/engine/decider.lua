--- Decides which packet a frame shows, and in which direction that goes. It learns only from the frames that it was
-- given, so each epoch has a decider of its own.

local frame_of, grouper, direction, chains_of = ...

local lower, sub = string.lower, string.sub

local MOST_OBSERVERS = 64 -- only a capture made to defeat us has more

local M = {}

--- A decider that has taken nothing yet.
-- @param owner  as `direction.new` takes it
-- @param keep   as `chains.new` takes it
-- @return table: read, look, decide, decide_event, commit, discard; found
function M.new(owner, keep)
  local grouping, chains = grouper.new(), chains_of.new(keep)
  local ways_of, observers = {}, 0 -- by observer: what goes out at one comes in at the other
  local ways
  local found = grouping.found
  local has_skipped = false -- whether packets came before a place or a MAC was known that can tell a direction
  -- What was decided last, until it is committed: a packet or what an event says; its time.
  local frame_now, event, time_now = nil, nil, nil
  local is_directed_now, nic_now = false, nil
  local decider = { found = found }

  local function set_ways(observer)
    observer = observer or false
    ways = ways_of[observer]
    if not ways then
      if observers >= MOST_OBSERVERS then
        ways_of, observers = {}, 0
      end
      ways = direction.new(owner)
      ways_of[observer], observers = ways, observers + 1
    end
  end

  --- Reads a frame, as `engine.read` does.
  function decider.read(frame)
    frame_of.read(frame, grouping.span)
  end

  --- Looks up what is known of the next frame: the first step of `decide`.
  -- @param frame as `engine.look` takes it; its span is nil if it has not been read
  -- @param is_again whether another decider has had it, and changed what was read
  function decider.look(frame, is_again)
    frame_now, time_now = frame, frame.time
    if not time_now then
      return
    elseif is_again or not frame.span then
      frame_of.read(frame, grouping.span)
    end
    if frame.cut and frame.room and frame.room < grouping.span then
      grouping.shorten(frame.room)
    end
    if frame.span ~= grouping.span then
      frame_of.read(frame, grouping.span)
    end
    grouping.look(frame)
  end

  --- Says what the frame is that was looked up; changes nothing that counts.
  -- @param read  what the capture tool noted beside it, as `tool_comments.read` gives it, or nil
  -- @param noted the direction that the capture tool noted, or nil
  -- @param is_directed whether anything can tell a direction
  -- @return the node of its path; a code of `direction`, or nil. What else was found stands in `found`
  function decider.decide(read, noted, is_directed)
    local frame, time, place = frame_now, time_now, frame_now.hop
    local node, macs, way
    is_directed_now, nic_now = noted ~= nil or is_directed, read and read.nic
    if not time then
      node = grouping.without_time(frame.number, place)
    else
      node = grouping.decide()
      local link = frame.link
      local has_macs = place.kind == "ethernet" and link ~= "wifi" and link ~= "raw" and frame.at + 11 <= frame.stop
      if is_directed and has_macs then
        macs = sub(frame.buf, frame.at, frame.at + 11)
      end
    end
    if is_directed_now then
      set_ways(place.observer)
      way = ways.decide(time, node, found.elapsed, noted, macs, not has_skipped)
    end
    return node, way
  end

  --- The packet that the event is about which comes next, as `chains.packet_of` gives it. Changes nothing that counts.
  -- @param said as `event` gives it
  function decider.decide_event(said, time)
    event, time_now = said, time
    return chains.packet_of(said)
  end

  --- Notes the frame that was decided last.
  -- @param is_directed as `decide` took it
  function decider.commit(is_directed)
    if event then
      chains.note(event, time_now)
      event = nil
    elseif frame_now then
      if time_now then
        grouping.commit()
      end
      if is_directed_now then
        ways.commit()
      end
      if nic_now then
        chains.note_packet(found.packet, lower(nic_now), time_now, frame_now)
      end
      has_skipped = has_skipped or not is_directed
    end
    frame_now = nil
  end

  --- Forgets it.
  function decider.discard()
    frame_now, event = nil, nil
  end

  return decider
end

return M
