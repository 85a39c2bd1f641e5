--- The same bytes again at a hop that shows each packet once are another packet.

local candidates = (...).candidates

return {
  name = "known_once",
  reason = "A packet with the same bytes was here just before, and this hop shows each packet once",
  source = "",
  proof = "lab2/busy",
  verdict = "repeat",
  new = function(state)
    return function(frame, look)
      local packet = look.here
      if not packet or look.is_left_out or candidates.seen(packet, frame.place) == 0 then
        return nil -- with another link header, a host may have sent it on: see went_on
      elseif state.is_surely_new(frame) then
        return false
      end
      return nil
    end
  end,
}
