--- Where ids are believed, two packets have two. What was put into a tunnel, or translated, is counted anew, and so it
-- is by each observer.

return {
  name = "other_id",
  reason = "The capture tool gave them different ids",
  source = "draft-ietf-opsawg-pcapng 4.3 (epb_packetid)",
  proof = "hard/pktmon_ids",
  new = function(state)
    return function(packet, frame)
      return frame.tag ~= nil
        and packet.tag ~= nil
        and frame.tag ~= packet.tag
        and frame.hop.observer == packet.tag_of
        and (packet.link == "tunnel") == (frame.link == "tunnel")
        and packet.written_ends == frame.written_ends
        and state.believes_ids(frame.hop.observer)
    end
  end,
}
