--- Judges whether a frame shows a packet again at a hop that has recorded it already.
--
-- Equal bytes do not tell: the packet may have been sent twice. What tells is what routers and link headers change,
-- what cannot be sent twice within a moment, and how often this hop is known to record one packet.

local codes, link, proof = ...

local abs, byte, floor, min, sub = math.abs, string.byte, math.floor, math.min, string.sub

local MOMENT = 1e-3 -- seconds in which a packet that cannot repeat is another sighting
local STALL = 8e-3 -- seconds in which it is, where it lacks one: a thread had to wait, and TCP does not yet time out
local NEXT = 10e-6 -- seconds within which the next packet of a batch is shown
local TTL = 4294967296 -- of `soft` of `key`
local LONGEST_SHAPE = 22 -- bytes of a link header: addresses, two VLAN tags, EtherType
local COARSE = 4 -- different frames that share a timestamp to the nanosecond, before a clock is not believed
local RETRY = 8 -- among the flags of 802.11
-- Sightings of one packet at a hop, where none has been seen that often: more are a storm, and so are those that go on
-- for over a moment.
local MOST_UNKNOWN = 20
local STILL = 8 -- different frames in a row with one timestamp: the clock does not tell moments
local TCP = 6
local EVIDENCE = codes.evidence

local M = { MOMENT = MOMENT, STALL = STALL }

-- What stands around a packet: copies in another link header, or with another VLAN tag, are no repeats.
local function shape_of(kind, form, header)
  if form == "tunnel" or form == "wifi" then
    return form
  elseif kind == "ethernet" then
    return sub(header, 13, LONGEST_SHAPE) -- VLAN tags, EtherType
  elseif kind == "sll" then
    return sub(header, 1, 2) -- in or out
  elseif kind == "sll2" then
    return sub(header, 5, 8) .. sub(header, 11, 11) -- interface; in or out
  end
  return ""
end

local function radiotap_size(header)
  local low, high = byte(header, 3, 4)
  return high and high * 256 + low or 0
end

local function has_changed_addresses(kind, header, earlier)
  if kind == "ethernet" then
    return sub(header, 1, 12) ~= sub(earlier, 1, 12)
  elseif kind == "sll" then
    return sub(header, 1, 14) ~= sub(earlier, 1, 14)
  elseif kind == "sll2" then
    return sub(header, 5, 20) ~= sub(earlier, 5, 20)
  end
  return false
end

local function has_retry_bit(header, at)
  return floor((byte(header, at) or 0) / RETRY) % 2 == 1
end

-- Whether a frame went over the air once more, by the Retry bit of 802.11. A radio hears each try once; inside Windows
-- a frame that came by a later try keeps the bit at each place that shows it.
local function is_retried(kind, form, header, earlier)
  if kind == "radiotap" then
    return has_retry_bit(header, 2 + radiotap_size(header))
  elseif kind == "wifi" then
    return has_retry_bit(header, 2)
  end
  return form == "wifi" and has_retry_bit(header, 2) and not has_retry_bit(earlier, 2)
end

local IPV4_ADDRESSES, IPV4_ADDRESSES_END = 27, 34 -- of the outer packet, behind an Ethernet header

-- Whether a tunnel leads elsewhere, as where a frame is flooded into several: one between the same ends may hold a
-- packet that was mirrored, or doubled, before.
local function is_other_tunnel(header, earlier)
  local from, to = 15, -1
  if sub(header, 13, 14) == "\8\0" and sub(earlier, 13, 14) == "\8\0" then
    from, to = IPV4_ADDRESSES, IPV4_ADDRESSES_END
  end
  return sub(header, from, to) ~= sub(earlier, from, to)
end

local REDUNDANCY_TAG = "\241\193" -- EtherType of IEEE 802.1CB: copies on several ways, by design

-- Whether both are sent to a group in VLANs of their own, as by a router or host that is at home in several.
local function is_in_other_vlan(header, earlier)
  if (byte(header, 1) or 0) % 2 == 0 then
    return false
  end
  local tags, earlier_tags = link.tags(header), link.tags(earlier)
  return tags ~= earlier_tags
    and #tags == #earlier_tags
    and sub(header, 13 + #tags, 14 + #tags) ~= REDUNDANCY_TAG
end

-- Whether a frame goes to where an earlier one came from: something sent it back, as a neighbour does a BFD echo.
local function is_returned(header, earlier)
  return sub(header, 1, 6) == sub(earlier, 7, 12)
end

--- A judge for one capture.
-- @param slots  of packets: see `memory`
-- @param slot_of function: the slot of a packet that is still remembered, or nil
-- @param tally  what is learned of this capture
-- @param flows  its TCP flows
-- @return table: judge, follow, is_one_batch, note_coarse_clock, undo, undo_follow
function M.new(slots, slot_of, tally, flows)
  local nodes, first_time, last_time, softs = slots.nodes, slots.first_time, slots.last_time, slots.softs
  local headers, forms, before = slots.headers, slots.forms, slots.before
  local batches = slots.batches
  local classes, shapes, keys = slots.classes, slots.shapes, slots.keys
  local coarse, still, still_time = 0, 0, nil -- frames that shared a timestamp; those that share the last one
  local last_key, last_content, last_class, last_unique -- what `proof.is_unique` said last
  local undo_seen, undo_shape -- what `judge` noted of this frame
  local undo_class, undo_batches -- what `follow` did
  local again = {}

  --- To be told of every two frames in a row with one timestamp and other bytes, before `judge`.
  function again.note_coarse_clock(time)
    coarse = min(coarse + 1, COARSE)
    still, still_time = time == still_time and still + 1 or 1, time
  end

  -- Whether the packet has not been seen in this shape yet, but in another.
  local function is_new_shape(slot, kind, form, header)
    local shape, earlier = shape_of(kind, form, header), shape_of(nodes[slot].hop.kind, forms[slot], headers[slot])
    if shape == earlier then
      return false
    end
    local seen = shapes[slot] or { [earlier] = true }
    shapes[slot] = seen
    if seen[shape] then
      return false
    end
    seen[shape], undo_seen, undo_shape = true, seen, shape
    return true
  end

  -- Whether the packet before this one in its batch is to be seen first: a hop shows each of a batch once before it
  -- shows the first again, and a flow's packets do not overtake each other.
  local function waits_for_another(slot, hop, count, time)
    local batch, other_id = batches[slot], before[slot]
    local other = batch and slot_of(other_id or 0)
    if not other or not classes[other] or not tally.has_batches(classes[slot]) then
      return false
    elseif batch ~= (batches[other] or other_id) then
      return false
    end
    local seen = nodes[other].counts[hop]
    return seen and seen <= count and tally.expects(classes[other], hop, seen + 1, abs(time - last_time[other]))
  end

  --- Notes that a packet followed others in its TCP flow, and what came of the one before those.
  -- @param frame that shows the packet
  -- @param slot of the packet
  -- @param last, other the ids of the one that came last before it, and the last with other bytes; or nil
  function again.follow(frame, slot, last, other)
    undo_batches = nil
    local last_slot, other_slot = slot_of(last or 0), slot_of(other or 0)
    if last_slot and nodes[last_slot].depth == 1 and abs(frame.time - last_time[last_slot]) <= NEXT then
      batches[slot] = batches[last_slot] or last
    end
    if not other_slot then
      return
    end
    local first = slot_of(before[other_slot] or 0)
    if first then
      local class, is_batch = classes[slot], nodes[first].depth > 1
      if is_batch or abs(frame.time - last_time[first]) > MOMENT then
        undo_batches, undo_class = class.batches, class
        tally.note_batch(class, is_batch)
      end
    end
    before[slot] = nodes[other_slot].depth == 1 and other or nil
  end

  --- Whether two packets came in one batch, by their ids.
  function again.is_one_batch(id, other)
    return (batches[slot_of(id)] or id) == (batches[slot_of(other)] or other)
  end

  -- Equal timestamps are proof where they tell nanoseconds, and different frames do not share them.
  local function is_same_moment(time, gap)
    local part = time * 1e6 % 1
    return gap == 0 and coarse < COARSE and part > 0.01 and part < 0.99
  end

  --- Judges a frame whose bytes are those of a packet, as far as hops leave them alone.
  -- @param slot of the packet
  -- @param frame as `packets` takes it; its hop has recorded the packet already
  -- @return the code of the evidence, or nil where this is another packet or nothing tells
  -- @return whether the packet cannot repeat, so that the frame teaches, whatever it is taken for
  function again.judge(slot, frame)
    local time, hop, key, soft = frame.time, frame.hop, frame.key, frame.soft
    local form, header = frame.form, frame.header
    undo_seen = nil
    local node, class = nodes[slot], classes[slot]
    local earlier, gap = headers[slot], abs(time - last_time[slot])
    local is_same_ttl = floor(soft / TTL) == floor(softs[slot] / TTL)
    local count = node.counts[hop]
    local is_late = is_same_ttl and gap > MOMENT
    if is_late and (gap > STALL or not tally.lacks(class, hop, count + 1)) then
      return nil
    end
    local is_ethernet = hop.kind == "ethernet" and not form and not forms[slot]
    local has_moved = not form and has_changed_addresses(hop.kind, header, earlier)
    if is_ethernet and has_moved and is_returned(header, earlier) then
      return nil
    elseif forms[slot] == form and is_retried(hop.kind, form, header, earlier) then
      return nil
    end
    local ident, content = proof.ident(key), frame.content
    if key ~= last_key or content ~= last_content or class ~= last_class then -- in a burst they are the same each time
      last_key, last_content, last_class = key, content, class
      last_unique = proof.is_unique(key, content, frame.transport, tally.is_steady(class, ident))
    end
    local unique = last_unique and (ident ~= nil or gap > 0 or still < STILL or time ~= still_time)
    local expected = is_same_ttl and tally.expects(class, hop, count + 1, gap)
    if unique and not ident and byte(key, 2) == TCP then
      local may, is_asked_for = flows.may_be_sent_again(key, frame.transport, last_time[slot], gap)
      if may and (is_asked_for or is_same_ttl and not expected and not is_late) then
        return nil
      end
    end
    if not is_same_ttl then -- it fell, else the frame had not come here
      -- A router changes the addresses too; what counts down without is a ladder of probes.
      local is_routed = has_moved or not is_ethernet and unique and gap <= MOMENT
      return is_routed and EVIDENCE.rewritten or nil
    end
    if form == "tunnel" and forms[slot] == "tunnel" and is_other_tunnel(header, earlier) then
      return nil
    elseif is_ethernet and not ident and not expected and is_in_other_vlan(header, earlier) then
      return nil
    end
    local bytes = soft == softs[slot] and EVIDENCE.bytes or EVIDENCE.rewritten
    if node.hop == hop and not (is_ethernet and has_moved) and is_new_shape(slot, hop.kind, form, header) then
      return bytes, unique and (form == "wifi" or forms[slot] == "wifi") -- else each shape is a hop of its own
    end
    if is_late then
      return unique and not has_moved and bytes or nil
    end
    local is_storm = class.is_storm
      or count >= MOST_UNKNOWN
      or count == node.depth and abs(time - first_time[slot]) > MOMENT
    if unique and not expected and is_storm then
      tally.distrust(class)
      return nil
    elseif unique then
      if tally.never(class, hop, count + 1, gap) or node.hop ~= hop and not expected then
        return nil, true
      elseif has_moved then
        tally.move(class, hop, count + 1)
      end
      return bytes, true
    end
    if expected and waits_for_another(slot, hop, count, time) then
      return nil
    elseif expected and (not has_moved or tally.moves(class, hop, count + 1)) then
      return EVIDENCE.learned
    end
    if is_same_moment(time, gap) and not has_moved and not tally.once(class, hop) and keys[slot] == key then
      return bytes
    end
    return nil
  end

  --- Takes back what the last `follow` noted.
  function again.undo_follow()
    if undo_batches then
      undo_class.batches, undo_batches = undo_batches, nil
    end
  end

  --- Takes back what `judge` noted of the last frame.
  function again.undo()
    if undo_seen then
      undo_seen[undo_shape] = nil
      undo_seen = nil
    end
  end

  return again
end

return M
