--- Receive segment coalescing: the vSwitch or the NIC builds one frame from several consecutive ones.

return {
  name = "coalesced",
  reason = "It begins with the other frame's data, and goes on with the data that followed",
  source = "Microsoft, Overview of Receive Segment Coalescing",
  proof = "lab2/rsc",
  verdict = "coalesced",
  evidence = "segment",
  new = function()
    return function(_, look)
      return look.base
    end
  end,
}
