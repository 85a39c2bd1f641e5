--- What the rules share: the stores of one capture, and functions that look up what is known about a frame.

local candidates, parts, limits = ...

local flows_of, tcp = parts.flows, parts.tcp
local segmentation_of, nat_of, networks_of, store_of = parts.segmentation, parts.nat, parts.networks, parts.packet_store

local TCP = 6

local M = {}

--- For one capture.
-- @return table: store, segmentation, nat, networks, all_order (of the packets of all senders); begin, note_hop,
--   has_several_hops, flow_of, back_of, segment_of, is_asked_for, may_be_sent_again, is_surely_new; the grouping adds
--   what it makes of `candidates`: look, all_here and differs
function M.new()
  local store, flows, networks = store_of.new(), flows_of.new(), networks_of.new()
  local context = {
    store = store,
    segmentation = segmentation_of.new(store),
    nat = nat_of.new(store),
    networks = networks,
    all_order = { most_ways = limits.ways },
  }
  local header, first_hop = {}, nil -- header: of TCP

  --- Notes that a frame came from a hop.
  function context.note_hop(hop)
    first_hop = first_hop or hop
    context.has_several_hops = context.has_several_hops or hop ~= first_hop
  end

  --- The flow of a frame.
  local function flow_of(frame)
    local flow = frame.flow
    if not flow then
      flow = flows.of(frame, frame.vni or networks.of(frame.place))
      frame.flow = flow
    end
    return flow
  end
  context.flow_of = flow_of

  --- Forgets the last frame.
  function context.begin(frame)
    frame.flow, header.is_read = nil, false
  end

  --- The TCP header of a frame, where it is there whole: seq, ack, flags, size. nil if it is not.
  function context.segment_of(frame)
    if not header.is_read then
      header.is_read = true
      header.is_there = frame.protocol == TCP and frame.has_transport and tcp.read(frame, header)
    end
    return header.is_there and header or nil
  end

  --- The flow the other way.
  function context.back_of(frame)
    return flows.back(flow_of(frame), frame, frame.vni or networks.of(frame.place))
  end

  --- Whether the other end has asked for what a TCP segment carries since a packet was last seen; whether it may have.
  function context.is_asked_for(packet, frame)
    return tcp.is_asked_for(context.segment_of(frame), context.back_of(frame).acks, packet.last_time)
  end

  --- Whether a frame may be a retransmission of a packet that has the same bytes: TCP data without an IP ID, which the
  -- other end may have asked for since the packet was last seen.
  function context.may_be_sent_again(packet, frame)
    local segment = packet.ident == 0 and context.segment_of(frame)
    if not segment or segment.size == 0 then
      return false
    end
    local _, may_be_asked = context.is_asked_for(packet, frame)
    return may_be_asked
  end

  -- Whether no packet with these bytes is about that this frame could show after all.
  function context.is_surely_new(frame)
    local look = context.look
    local packet = look.here
    if look.is_ambiguous then
      return false
    elseif not packet then
      return not look.refused
    end
    local _, is_sure = candidates.is_known_once(packet, frame.hop)
    return is_sure
  end

  return context
end

return M
