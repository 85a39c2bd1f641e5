--- If several packets could be meant, or it is not clear whether this is one of them, there is no mark.

return {
  name = "ambiguous",
  reason = "A packet with the same bytes came before, but nothing shows whether this is the same packet",
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
