--- Groups frames into packets: each frame shows a packet that was seen before, comes of one, or is a new one.
--
-- `decide` says what a frame is and changes nothing; `commit` notes it, once it is known that the frame counts:
-- Wireshark's read filter dissects frames that it then leaves out. The rules decide, in the order of the list: the
-- first that answers counts.

local codes, path, mutable_fields, decide, parts = ...

local candidates_of, context, identity, limits = parts.candidates, parts.context, parts.identity, parts.limits
local flows, order, places_of, routes, tcp, teaching =
  parts.flows, parts.order, parts.places, parts.routes, parts.tcp, parts.teaching

local abs, byte, max = math.abs, string.byte, math.max

local VERDICT, REWRITTEN = codes.verdict, codes.rewritten
local differences = mutable_fields.between
local FIRST = 0 -- no rule: nothing with these bytes was known

local M = {}

--- A grouping of the frames of one capture.
-- @return table: shorten, look, decide, commit, without_time, span; found
function M.new()
  local state, paths, place_of = context.new(), path.new(), places_of.new()
  local store = state.store
  local settle = teaching.new(store)
  local segmentation, nat, networks, all_order = state.segmentation, state.nat, state.networks, state.all_order
  local rules = decide.new(state)
  local candidates = candidates_of.new(store, rules.differs, all_order, networks)
  state.differs, state.all_here, state.look = rules.differs, candidates.all_here, candidates.look

  -- What the last step found: the caller reads it before the next one.
  local found = {}
  local grouping = { found = found, span = limits.key_span }
  local step = {} -- what `decide` leaves for `commit`
  local look = candidates.look
  look.binding = {}

  -- Says that a frame shows a packet, or what it became.
  local function tell_sighting(frame, packet, rewritten)
    local node = packet.node.next[frame.hop] or paths:step(packet.node, frame.hop)
    if not node then
      return nil
    end
    found.rewritten = rewritten
    found.packet, found.previous = packet.first_frame, packet.last_frame
    found.delta, found.elapsed = frame.time - packet.last_time, frame.time - packet.first_time
    found.segment_of, found.repeat_of = packet.whole, nil
    step.node = node
    return node
  end

  local function decide_sighting(frame, packet, rule)
    local what, verdict = differences(frame, packet), decide.verdict[rule]
    step.kind = "sighting"
    if verdict ~= VERDICT.duplicate then
      step.kind = "derived"
      what = mutable_fields.in_link(frame.link, frame.header, packet.link, packet.header)
    elseif rule == decide.PACKET_ID and frame.key ~= packet.key then
      step.kind = "derived"
    elseif rule == decide.TRANSLATED and not look.binding.from then
      step.kind = "derived" -- it has another IP ID
    elseif rule == decide.TRANSLATED and frame.written_ends == packet.written_ends then
      what = what + REWRITTEN.nat
    end
    local node = tell_sighting(frame, packet, what)
    if verdict == VERDICT.segment then
      found.segment_of = packet.last_frame
    end
    return node
  end

  local function is_to_group(frame)
    local l2 = frame.l2
    return l2 ~= nil and byte(frame.header, l2 - frame.at + 1) % 2 == 1
  end

  -- Says that a frame is a new packet.
  local function decide_new(frame, rule)
    step.kind, step.node = "new", paths:step(nil, frame.hop, is_to_group(frame))
    found.packet, found.previous, found.delta, found.elapsed, found.segment_of = frame.number, nil, nil, nil, nil
    found.rewritten = 0
    local again = look.again or decide.verdict[rule] == VERDICT["repeat"] and look.here
    found.repeat_of = again and again.first_frame or nil
    return step.node
  end

  --- Makes keys hold less content from now on, as the next frame was cut so short.
  function grouping.shorten(span)
    store.shorten(grouping.span, span)
    grouping.span = span
  end

  --- Looks up what is known of a frame's bytes: the first step of `decide`.
  -- @param frame a table with what `frame.read` has read of it, and
  --   number: its number, counting up from 1
  --   time: seconds since any fixed moment
  --   hop: table, the place it was seen at, always the same table for the same place
  --   tag: nil, or what the capture tool calls the packet, equal for equal packets
  function grouping.look(frame)
    step.frame = frame
    state.begin(frame)
    frame.place = place_of(frame)
    look.binding.from, look.again = nil, nil
    nat.translate(frame)
    frame.root = (is_to_group(frame) and paths.group_roots or paths.roots)[frame.hop]
    candidates.find(store.find(frame.key), frame)
  end

  --- Says what the frame is that was looked up.
  -- @return the node of its path; what else was found stands in `found` until the next step
  function grouping.decide()
    local frame = step.frame
    local packet, rule = rules.decide(frame, look)
    step.packet, step.index = packet or nil, nil
    if packet then
      local node = decide_sighting(frame, packet, rule)
      if node then
        found.rule, step.rule = rule, rule
        step.index = packet == look.elsewhere and look.index or nil
        return node
      end
      rule = nil -- its path is too long
    end
    found.rule, step.rule = rule or FIRST, rule
    return decide_new(frame, rule)
  end

  local function commit_sighting(frame, packet)
    local depth = packet.node.depth
    local is_proof = decide.proves[step.rule] and identity.of_pair(packet, frame) > identity.WEAK
    if is_proof and packet.is_proved then
      order.note_sighting(packet, frame, all_order)
    else
      order.note_weak(packet, frame, all_order)
      packet.is_proved = false
    end
    local is_only = type(look.entry) == "number" -- with these bytes
    if is_proof and is_only then
      networks.note(packet, frame)
    end
    packet.network = packet.network or frame.vni
    if frame.header == packet.header and frame.ttl < packet.ttl then
      packet.has_fallen = true
    end
    packet.node, packet.last_frame, packet.last_time = step.node, frame.number, frame.time
    store.add_sighting(packet, depth + 1, frame)
    packet.header, packet.link, packet.vni = frame.header, frame.link, frame.vni
    packet.mutable, packet.ttl, packet.is_dropped = frame.mutable, frame.ttl, frame.is_drop
    if frame.outer_ends then
      packet.outer_ident, packet.outer_ends = frame.outer_ident, frame.outer_ends
    end
    packet.written_ends = step.rule == decide.TRANSLATED and look.binding.ends or frame.written_ends
    if step.index then
      candidates.take(look.entry, step.index, frame)
    end
  end

  local function add(frame, packet_number, first_time)
    store.make_room(#frame.content + #frame.key + #frame.header)
    local packet = store.add(frame)
    packet.flow, packet.node = state.flow_of(frame), step.node
    packet.first_header, packet.first_mutable = frame.header, frame.mutable
    packet.strength = identity.strength(packet, packet.flow)
    packet.tag, packet.whole, packet.is_crowded, packet.is_dropped = nil, nil, false, frame.is_drop
    packet.network, packet.written_ends, packet.first_ends = frame.vni, frame.written_ends, frame.written_ends
    packet.is_proved, packet.has_fallen, packet.maybe = false, false, nil
    if packet_number then
      packet.first_frame, packet.first_time = packet_number, first_time
    end
    return packet
  end

  local function commit_derived(frame, base)
    local depth = base.node.depth
    local places, times = base.places, base.times
    local packet = add(frame, base.first_frame, base.first_time)
    for at = 1, depth do
      packet.places[at], packet.times[at] = places[at], times[at]
    end
    packet.earliest, packet.first_ends = base.earliest, base.first_ends
    store.add_sighting(packet, depth + 1, frame)
    if decide.verdict[step.rule] ~= VERDICT.duplicate then
      packet.whole = look.is_part and base.last_frame or nil
      if look.cut_entry then
        segmentation.mark_cut(look.cut_entry, frame.hop, look.cut)
      end
      segmentation.note(packet, state.segment_of(frame))
    end
    return packet
  end

  local function is_like_last(flow, packet)
    local last = flow.last_id and store.get(flow.last_id)
    return last and last.key == packet.key and last.content == packet.content
  end

  -- Notes that a packet may be another one, which was seen elsewhere before.
  local function doubt(packet, other, frame)
    local class, took, longest = other.flow.class, order.step(all_order, other, frame)
    -- A frame that is later than all others may still be that one, unless packets begin here: then it is a new one.
    local is_late = took > longest and not path.begins(class, other.node, frame.root)
    local is_soon = took <= max(longest, limits.longest_queue)
    path.doubt_stop(class, other.node)
    local may_be = took <= longest or is_late and (is_soon or path.has_gone_on(class, other.node, frame.hop))
    if may_be and path.may_go_on(class, other.node, frame.hop) then
      packet.maybe = other.node -- so it is not seen again where that was
    end
    local queue = store.find(frame.key)
    if type(queue) == "table" then
      candidates.doubt(queue, frame, is_late, is_late and is_soon)
    end
  end

  local function commit_new(frame)
    local packet = add(frame, nil, nil)
    local flow = packet.flow
    if packet.strength == identity.WEAK then
      flows.note_crowd(flow, look.is_crowd)
    end
    -- An ambiguous frame that may be a sighting of a known packet does not count as another one.
    local may_be_sighting = look.elsewhere and packet.strength > identity.WEAK or identity.is_large_random(packet)
    if step.rule ~= decide.AMBIGUOUS or not may_be_sighting then
      flow.number = flow.number + 1
      if look.here or is_like_last(flow, packet) then
        flow.repeats = flow.repeats + 1
      end
    end
    flow.last_id = packet.id
    packet.is_ambiguous = look.is_ambiguous
    if look.is_ambiguous and look.elsewhere then
      doubt(packet, look.elsewhere, frame)
    end
    if look.here and (look.is_back or not flow.sender.is_changing) then
      look.here.is_proved = false -- nobody knows how often that was seen
    end
    if look.doubted then
      routes.note_doubt(look.doubted, frame.place.at_hop, look.here.node)
    end
    if look.probe then
      look.probe.strength = identity.WEAK -- its sender has given its identity to this one too
    end
    packet.is_proved = packet.strength > identity.WEAK and not look.here
    if packet.ident > 0 then
      identity.note_ident(packet, flow)
    end
    local segment = state.segment_of(frame)
    if segment then
      flow.sent = tcp.note(segment, flow.sent, state.back_of(frame).sent, frame.time, packet.id)
      flow.acks = tcp.note_ack(packet, segment, flow.acks, frame.time, step.rule ~= decide.AMBIGUOUS)
      segmentation.note(packet, segment)
    end
    nat.note(packet)
    return packet
  end

  --- Notes what the last frame is that was decided.
  function grouping.commit()
    local frame, packet = step.frame, step.packet
    step.frame = nil
    state.note_hop(frame.hop)
    store.note_time(frame.time, frame.number)
    settle(frame.time)
    if look.binding.from then
      nat.commit(look.binding, step.rule == decide.TRANSLATED and packet or nil)
    end
    if step.kind == "sighting" then
      commit_sighting(frame, packet)
    elseif step.kind == "derived" then
      packet = commit_derived(frame, packet)
    else
      if look.refused and type(look.entry) == "number" and identity.of_pair(look.refused, frame) == identity.PROOF then
        networks.note(look.refused, frame)
      end
      packet = commit_new(frame)
    end
    order.note_shown(packet.flow.sender, frame.hop, step.kind == "new")
    -- A frame that may show another packet after all tells nothing about paths.
    if step.kind ~= "new" or not (look.is_begin or look.is_ambiguous and look.elsewhere) then
      path.pass(packet.flow.class, packet.node, step.kind == "sighting" and look.is_alone and abs(found.delta))
    end
    rules.commit(frame, packet)
    if paths.made >= limits.path_bytes then
      store.next_generation()
      paths.made = 0
    end
  end

  --- Says of a frame that cannot be grouped, for lack of a time, that it is a packet.
  function grouping.without_time(number, hop)
    found.rule, found.rewritten = FIRST, 0
    found.packet, found.previous, found.delta, found.elapsed = number, nil, nil, nil
    found.segment_of, found.repeat_of = nil, nil
    return paths:step(nil, hop)
  end

  return grouping
end

return M
