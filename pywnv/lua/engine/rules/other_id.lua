--- Where packet ids are trusted, two packets have two ids. A packet that enters a tunnel or is translated gets a new
-- one, and each observer gives its own.

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
