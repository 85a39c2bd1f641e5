--- A capture may be appended to itself, or to another capture of the same host. Once time has run back in the file, a
-- frame with the bytes and the time of an earlier sighting is that sighting again.

return {
  name = "appended",
  reason = "The file goes back in time here, and an earlier frame has the same bytes at exactly the same time",
  source = "",
  proof = "appended_to_itself",
  verdict = "duplicate",
  new = function(state)
    local store = state.store
    return function(frame, look)
      if not look.here or store.turned == 0 or frame.time > store.latest then
        return nil
      end
      for at = 1, state.all_here(frame) do
        local packet = look.list[at]
        for sighting = 1, packet.first_frame < store.turned and packet.node.depth or 0 do
          if packet.times[sighting] == frame.time and packet.places[sighting] == frame.place then
            return packet
          end
        end
      end
      return nil
    end
  end,
}
