--- The sender sends data again, in a new packet.

local parts = ...
local direction, identity, order = parts.direction, parts.identity, parts.order
local tcp, limits = parts.tcp, parts.limits

-- Whether a frame comes right from its sender: its packets begin at this NIC, and the packet that carried the same has
-- gone on from here. No network lies before this NIC which could have doubled that.
local function is_from_sender(carrier, frame, flow)
  return direction.is_inner(frame.hop)
    and carrier.node.hop ~= frame.hop
    and frame.time - carrier.last_time > limits.settled
    and order.begins_at(flow.sender, frame.hop)
end

return {
  name = "sent_before",
  reason = "Its flow has carried this data, SYN or FIN before, in another packet",
  source = "RFC 9293 3.8.1",
  proof = "lab2/busy-drop-fifo",
  verdict = "retransmission",
  new = function(state)
    local segmentation, too_late = state.segmentation, state.too_late
    -- Whether what is sent again so soon has an identity of its own.
    local function is_other(carrier, frame, flow)
      if frame.ident > 0 then
        return (carrier.ident - frame.ident) % 65536 > limits.idents_ahead -- equal, or what came first after all
      end
      local sent = identity.tcp_timestamp(frame)
      return sent and sent ~= identity.tcp_timestamp(carrier)
        or state.is_asked_for(carrier, frame)
        or is_from_sender(carrier, frame, flow)
    end

    -- Whether the hop of a frame has shown what it carries, with the same ends.
    local function was_here(carrier, flow, frame, segment)
      return (carrier.first_ends == frame.written_ends or carrier.written_ends == frame.written_ends)
        and (carrier.node.counts[frame.hop] or segmentation.was_in_large(flow, segment, frame.hop))
    end

    return function(frame, look)
      local segment, same = state.segment_of(frame), look.here
      look.is_behind = nil
      if not segment or not state.is_surely_new(frame) then
        return nil
      end
      local flow = state.flow_of(frame)
      if same and not is_other(same, frame, flow) then
        return nil
      end
      local is_sent, hole = tcp.is_sent_before(segment, flow.sent, frame.time)
      look.is_behind = hole
      if not is_sent or segmentation.may_be_part(flow, frame, segment) then
        return nil
      end
      local carrier = segmentation.carrier(flow, segment)
      if frame.time < (carrier and carrier.first_time or flow.sent.latest) then
        return nil -- the file runs back: that was sent after it
      elseif carrier and not was_here(carrier, flow, frame, segment) then
        return nil -- a sender's packets begin where they began before
      elseif carrier and not too_late(carrier, frame) and not is_other(carrier, frame, flow) then
        return nil
      end
      look.again = carrier
      return false
    end
  end,
}
