--- Large send offload: the NIC, or the vSwitch before it, cuts a large frame into segments.

return {
  name = "segment",
  reason = "Its data is part of a larger frame, and its IP ID or its order fits",
  source = "Microsoft, Offloading the Segmentation of Large TCP Packets",
  proof = "lab2/rsc",
  verdict = "segment",
  evidence = "segment",
  new = function(state)
    local segmentation = state.segmentation
    return function(frame, look)
      local segment = state.segment_of(frame)
      look.base = nil
      if not segment then
        return nil
      end
      look.base, look.is_part, look.cut_entry, look.cut = segmentation.find(state.flow_of(frame), frame, segment)
      return look.is_part and look.base or nil
    end
  end,
}
