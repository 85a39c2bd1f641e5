--- A capture that was appended to itself, or to another one of the same place: once the file has run back in time, a
-- frame with the bytes and the time of an earlier sighting is that sighting once more.

local limits = (...).limits

return {
  name = "appended",
  reason = "The file has run back in time, and a frame with these bytes had the very same time",
  source = "",
  proof = "appended_to_itself",
  verdict = "duplicate",
  new = function(state)
    local store = state.store
    return function(frame, look)
      if not look.here or store.disorder <= limits.window or frame.time > store.latest then
        return nil
      end
      for at = 1, state.all_here(frame) do
        local packet = look.list[at]
        for sighting = 1, packet.node.depth do
          if packet.times[sighting] == frame.time and packet.places[sighting] == frame.place then
            return packet
          end
        end
      end
      return nil
    end
  end,
}
