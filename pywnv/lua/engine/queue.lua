--- Queues of packets with the same bytes, in the order in which they came: which of them a frame shows.
--
-- A hop shows them in this order. One that was lost, or that a capture missed, must not shift all that follow. So the
-- one behind it is meant if the first one should have come long ago; if packets that have passed the same hops never
-- come to this hop; or if, packet after packet, the first one would have taken unusually long, but not the one behind.
-- Once nothing tells which packet a frame shows, order no longer tells apart the packets that came before that frame.

local identity, losses, order, path, limits = ...

local abs, max, min = math.abs, math.max, math.min

local M = {}

--- The queues of one capture.
-- @param store   the packets
-- @param differs function: whether a rule says that a packet and a frame are two
-- @param all     what is known of the order of packets of all senders: see `order`
-- @param look    what is found for a frame: see `candidates`
-- @param networks what is known of virtual networks and VLANs: see `networks`
-- @return table: is_lost, elsewhere, here, take, doubt
function M.new(store, differs, all, look, networks)
  local queues = {}

  -- Whether a frame was seen behind a packet's first sighting. What two observers saw may be the other way round: their
  -- clocks are set alike no better than by the time that packets take between them.
  local function is_later(packet, frame)
    local ahead, first = frame.time - packet.first_time, packet.places[1]
    if ahead <= 0 or first.hop.observer == frame.hop.observer then
      return ahead > 0
    end
    local _, longest = order.longest(all, frame.place, 0, first, 1)
    return ahead > (longest or 0)
  end

  -- Whether what is known of the order of packets speaks against a packet that was not seen at this hop.
  -- @param is_only whether no other packet has these bytes
  local function is_lost(packet, frame, is_only)
    local flow, place = packet.flow, frame.place
    if not is_only and path.ends_before(flow.class, packet.node, frame.hop) then
      return true
    end
    if is_later(packet, frame) then
      if frame.time - packet.first_time > limits.swapped and path.begins(flow.class, packet.node, frame.root) then
        look.is_begin = true
        return true
      elseif order.begins_at(flow.sender, frame.hop) then
        return true
      end
    end
    local last, time = packet.places[packet.node.depth], packet.last_time
    return last.hop ~= frame.hop
      and (
        order.is_overtaken(flow, last, time, place, frame.time)
        or order.is_overtaken(all, last, time, place, frame.time)
          and order.is_kept(all, last, time, place, frame.time)
      )
  end

  -- Whether a frame may show a packet of a queue that its hop has not shown.
  local function may_show(packet, frame)
    return packet
      and not packet.node.counts[frame.hop]
      and not losses.differ(packet, frame)
      and not differs(packet, frame)
      and not networks.is_other_vlan(packet, frame)
  end

  -- How many packets of a packet's class came to this hop about as late as it would.
  local function count_as_long(packet, frame)
    return path.count_as_long(packet.flow.class, packet.node.next[frame.hop], abs(frame.time - packet.last_time))
  end

  -- Whether a packet may be another one (see `grouper`), which this hop has shown.
  local function may_be_from(packet, hop)
    return packet.maybe ~= nil and packet.maybe.counts[hop] ~= nil
  end

  -- The packets that may come to this hop, in the order of the queue, and where they stand in it.
  local waiting, indices = {}, {}

  -- Whether the last one that waits came just now, and the one before it long ago; and so it was for several in a row.
  local function come_at_once(queue, count, frame)
    local last, signs = waiting[count], queue.signs[frame.hop]
    local took, before = abs(frame.time - last.last_time), abs(frame.time - waiting[count - 1].last_time)
    if indices[count] ~= queue.last or before < limits.likely * took then
      return false
    end
    look.at_once, look.waited = queue.last, before
    return losses.are_before_last(signs, queue.last, count_as_long(last, frame) >= limits.begin)
  end

  -- Of the packets of a queue from one on, the only one that comes to a hop as soon as others did; else the only one
  -- that may come that late. Where no other one may come, the count is right again; so it is where the last one comes
  -- at once, packet after packet.
  local function only_in_time(queue, index, frame)
    look.is_alone = false
    local usual, usual_index, is_one, count = nil, nil, true, 0
    for try = index, min(queue.last, index + limits.tries - 1) do
      local packet = store.get(queue[try])
      if may_show(packet, frame) and not is_lost(packet, frame) then
        local took, longest, known = order.step(all, packet, frame)
        if took <= longest then
          count = count + 1
          waiting[count], indices[count] = packet, try
        end
        if known and took <= limits.usual_gap * known then
          is_one = not usual
          usual, usual_index = packet, try
        end
      end
    end
    if count == 1 then
      look.slips = false
      return waiting[1], indices[1]
    elseif usual and is_one then
      return usual, usual_index
    elseif come_at_once(queue, count, frame) then
      look.slips = false
      return waiting[count], queue.last
    end
    look.is_ambiguous = true
    return waiting[count], indices[count]
  end

  -- Gathers a packet and those behind it that may come to this hop. Returns how many these are.
  local function gather(queue, packet, index, frame)
    waiting[1], indices[1] = packet, index
    local count = 1
    for try = index + 1, min(queue.last, index + limits.behind) do
      packet = store.get(queue[try])
      if may_show(packet, frame) and not may_be_from(packet, frame.hop) and not is_lost(packet, frame) then
        count = count + 1
        waiting[count], indices[count] = packet, try
      end
    end
    return count
  end

  -- How long a packet would have taken to this hop, in multiples of the longest known step; 0 if none is known.
  local function times_longest(packet, frame)
    local took, _, known = order.step(all, packet, frame)
    return known and known > 0 and took / known or 0
  end

  -- Whether packets came to this hop before by the way of one, and as soon.
  local function is_on_its_way(packet, frame)
    local took, _, known = order.step(all, packet, frame)
    return known and took <= limits.usual_gap * known and path.has_gone_on(packet.flow.class, packet.node, frame.hop)
  end

  -- Of those that wait behind one, the first that is far likelier to come now; nil if none is.
  local function first_likely(first, count, frame)
    local often = count_as_long(waiting[first], frame)
    local is_astray = not path.has_gone_on(waiting[first].flow.class, waiting[first].node, frame.hop)
    local is_late = often == 0 and times_longest(waiting[first], frame) > limits.longest_gap
    for at = first + 1, count do
      local other = count_as_long(waiting[at], frame)
      if other >= max(limits.begin, limits.likely * often) then
        return at
      elseif is_late and times_longest(waiting[at], frame) <= limits.usual_gap then
        return at
      elseif is_astray and is_on_its_way(waiting[at], frame) then
        return at
      end
    end
    return nil
  end

  -- The packet of a queue that comes to this hop: the first one that may, unless its path shows that it was lost, or
  -- packet after packet does.
  local function first_or_likely(queue, packet, index, frame)
    local class, hop, count, first = packet.flow.class, frame.hop, gather(queue, packet, index, frame), 1
    local likely = nil
    look.is_alone = count == 1
    if look.is_alone then
      return packet, index
    elseif abs(frame.time - packet.last_time) > store.disorder then
      for at = 2, count do
        if path.is_likelier(class, waiting[at].node, waiting[first].node, hop) then
          first, look.slips = at, true
        end
      end
      likely = first_likely(first, count, frame)
    end
    if networks.is_other_vlan(packet, frame) == nil and networks.are_of_several_vlans(waiting, count) then
      look.is_ambiguous = true
    elseif likely then
      look.late = indices[likely]
      if losses.are_before(queue.signs[hop], look.late) then
        look.slips = true
        return waiting[likely], look.late
      end
      look.is_ambiguous = true
    elseif come_at_once(queue, count, frame) then
      look.slips = true
      return waiting[count], queue.last
    end
    return waiting[first], indices[first]
  end

  -- The first packet of a queue that this hop has not shown. One that should have come long ago stands back: else, a
  -- packet that was lost on the way would shift all that follow.
  local function elsewhere(queue, frame)
    local hop = frame.hop
    local index, slipped = max(queue.first, (queue.taken[hop] or 0) + 1), queue.slipped[hop]
    local first, first_index, is_unsure = nil, nil, false
    if store.disorder > 0 then
      for try = max(queue.first, index - limits.tries), index - 1 do
        local packet = store.get(queue[try])
        if may_show(packet, frame) and identity.of_pair(packet, frame) == identity.PROOF then
          return packet, queue.taken[hop]
        end
      end
    end
    for try = index, min(queue.last, index + limits.tries - 1) do
      local packet = store.get(queue[try])
      if may_show(packet, frame) then
        local strength = identity.of_pair(packet, frame)
        if strength == identity.PROOF then
          return packet, try
        elseif may_be_from(packet, hop) or is_lost(packet, frame) then
          look.is_left_out = true
        else
          local took, longest, known = order.step(all, packet, frame)
          if slipped and packet.last_time <= slipped then
            if took <= longest then
              return only_in_time(queue, try, frame)
            end
          elseif known or strength == identity.WEAK or path.may_go_on(packet.flow.class, packet.node, hop) then
            local is_usual = known or not is_unsure or count_as_long(packet, frame) >= limits.begin
            if took <= longest and is_usual then
              look.slips = first and not (slipped and first.last_time <= slipped) or nil
              return first_or_likely(queue, packet, try, frame)
            end
            is_unsure = is_unsure or not known
          end
          first, first_index = first or packet, first_index or try
        end
      end
    end
    return first, first_index
  end

  --- The latest packet of a queue that this hop has shown.
  function queues.here(queue, frame)
    local hop = frame.hop
    for try = queue.last, max(queue.first, queue.last - limits.tries + 1), -1 do
      local packet = store.get(queue[try])
      if packet and packet.node.counts[hop] and not differs(packet, frame) then
        return packet
      end
    end
    return nil
  end

  -- Notes whether a frame came as if packets before the one that it shows were lost: see `losses`.
  local function note_signs(queue, hop)
    local signs = queue.signs[hop]
    if not signs and (look.late or look.at_once) then
      signs = losses.new()
      queue.signs[hop] = signs
    end
    if signs then
      losses.note(signs, look)
    end
  end

  --- Notes that a frame shows a packet of a queue, or that the first one may be lost.
  -- @param index of the packet
  function queues.take(queue, index, frame)
    local hop = frame.hop
    queue.taken[hop] = index
    if look.slips ~= nil then
      queue.slipped[hop] = look.slips and frame.time or nil
    end
    note_signs(queue, hop)
  end

  --- Notes that nothing tells which packet a frame shows: it may be any one of a queue that came before.
  -- @param is_late whether the frame came too late, so that the count was sure until now
  -- @param is_first whether it is the first one, if the hop has shown none of the queue yet
  function queues.doubt(queue, frame, is_late, is_first)
    local hop = frame.hop
    if queue.taken[hop] and (is_late or queue.slipped[hop]) then
      queue.slipped[hop] = frame.time
    elseif is_first then
      queue.taken[hop] = look.index
    end
    if look.late then
      queues.take(queue, look.index, frame)
    elseif look.at_once then
      note_signs(queue, hop)
    end
  end

  queues.is_lost, queues.elsewhere = is_lost, elsewhere
  return queues
end

return M
