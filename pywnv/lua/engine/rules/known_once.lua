--- The same bytes again at a hop that shows each packet once are another packet.

return {
  name = "known_once",
  reason = "A packet with the same bytes was here just before, and this hop shows each packet once",
  source = "",
  proof = "lab2/busy",
  verdict = "repeat",
  new = function(state)
    return function(frame, look)
      if look.here and not look.is_left_out and state.is_surely_new(frame) then
        return false
      end
      return nil
    end
  end,
}
