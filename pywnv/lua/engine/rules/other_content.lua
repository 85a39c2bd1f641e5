--- Two packets differ in their bytes, as far as both were captured, or, behind that, by their checksums.

local checksums = (...).checksums
local sub = string.sub

return {
  name = "other_content",
  reason = "Their content differs",
  source = "",
  proof = "hard/cut_same_start",
  new = function()
    return function(packet, frame)
      local content, known = frame.content, packet.content
      if known ~= content then
        local have, had = #content, #known
        if have < had then
          if not frame.cut or sub(known, 1, have) ~= content then
            return true
          end
        elseif had == have or not packet.cut or sub(content, 1, had) ~= known then
          return true
        end
      end
      return frame.cut
        and frame.mutable ~= packet.mutable
        and frame.written_ends == packet.written_ends -- a NAT puts in another checksum
        and checksums.differs_behind(frame, frame.mutable, packet.mutable)
    end
  end,
}
