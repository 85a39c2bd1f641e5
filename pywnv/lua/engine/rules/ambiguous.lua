--- Where two packets could be meant, or nothing tells whether one is, there is no mark.

return {
  name = "ambiguous",
  reason = "A packet with the same bytes is about, and nothing tells whether this is that one",
  source = "",
  proof = "hard/unique_ids",
  verdict = "original",
  new = function()
    return function(_, look)
      if look.here or look.is_ambiguous then
        return false
      end
      return nil
    end
  end,
}
