--- Groups frames into packets: each frame shows one of the last moments again, comes of one, or is a new one.

local codes, path, changes, proof, memory_of, tally_of, again_of, match_of, ids_of, tcp, cut_of, nat_of = ...

local abs, byte, max, pairs = math.abs, string.byte, math.max, pairs
local learn, mark_of = path.learn, nat_of.mark

local SPAN = 16 -- bytes of content in a key; fewer once the capture turns out to be cut shorter
local SETTLED = 3e-3 -- seconds after which a hop shows a packet no more
local MOST_SIGHTINGS = 32 -- at one hop that are counted

local MOST_DISTANCE, SLOTS = match_of.MOST_DISTANCE, memory_of.SLOTS
local TCP = 6
local MOST_OF_PATHS = 8 * 1024 * 1024 -- bytes of paths that are new in a generation
local VERDICT, EVIDENCE, REWRITTEN = codes.verdict, codes.evidence, codes.rewritten

local M = {}

--- A grouping of the frames of one capture.
-- @param window longest time between two sightings of one packet, in seconds
-- @return table: step, alone, undo, span, shorten; found
function M.new(window)
  local paths, memory, tally = path.new(), memory_of.new(window), tally_of.new()
  local slots, slot_of, find = memory.slots, memory.slot_of, memory.find
  local first_frame, first_time, last_frame = slots.first_frame, slots.first_time, slots.last_frame
  local last_time, keys, contents, softs = slots.last_time, slots.keys, slots.contents, slots.softs
  local transports, headers, forms = slots.transports, slots.headers, slots.forms
  local nodes, first_softs, classes, wholes = slots.nodes, slots.first_softs, slots.classes, slots.wholes
  local silent = slots.silent
  local flows, ids = tcp.new(), ids_of.new(slots, slot_of)
  local again = again_of.new(slots, slot_of, tally, flows)
  local matching = match_of.new(memory, tally, again, window)
  local segments, translations = cut_of.new(slots, window, slot_of), nat_of.new(slots, slot_of)
  local clock_time, clock_key = -math.huge, nil -- of the last frame
  local settled, next_settles = 0, -math.huge -- the last packet that has taught, or could have; when the next one came

  -- The last step, so that it can be undone: Wireshark's read filter dissects a frame before it counts.
  local undo_slot, undo_joined, undo_frame, undo_time, undo_node, undo_header, undo_form, undo_soft, undo_peak
  local undo_class, undo_ident, undo_hit, undo_sighting, undo_hit_hop
  local undo_match, undo_ids, undo_flows, undo_segments -- whether they took part in it

  -- What the last step found: the caller reads it before the next one.
  local found = {}
  -- span: how many bytes of content a key must hold now.
  local grouping = { found = found, span = SPAN }

  local function join(slot, frame, evidence, alone)
    local time, hop, soft = frame.time, frame.hop, frame.soft
    local header, form = frame.header, frame.form
    local earlier = nodes[slot]
    local node = earlier.next[hop] or paths:step(earlier, hop)
    if not node then
      return nil
    end
    local before, earlier_soft = last_time[slot], softs[slot]
    undo_slot, undo_joined = slot, true
    undo_frame, undo_time, undo_node = last_frame[slot], before, earlier
    undo_header, undo_form, undo_soft, undo_peak = headers[slot], forms[slot], earlier_soft, node.peak
    if alone then
      learn(node, abs(time - before))
    end
    local what = soft == earlier_soft and 0 or changes.soft(soft, earlier_soft)
    found.verdict = VERDICT.duplicate
    found.evidence = evidence or what == 0 and EVIDENCE.bytes or EVIDENCE.rewritten
    if header ~= headers[slot] then
      what = what + changes.link(hop.kind, form, header, earlier.hop.kind, forms[slot], headers[slot])
    end
    found.rewritten = what
    found.packet, found.previous = first_frame[slot], last_frame[slot]
    found.delta, found.elapsed, found.segment_of = time - before, time - first_time[slot], wholes[slot]
    nodes[slot], headers[slot], forms[slot], softs[slot] = node, header, form, soft
    last_frame[slot], last_time[slot] = frame.number, time
    return node
  end

  -- Counts a further sighting of a packet that cannot repeat, whether or not it is taken for one.
  local function count_sighting(slot, hop, gap)
    local sighting = nodes[slot].counts[hop] + 1
    if sighting <= MOST_SIGHTINGS then
      undo_hit, undo_sighting, undo_hit_hop = classes[slot], sighting, hop
      tally.hit(undo_hit, hop, sighting, gap)
    end
  end

  -- The same bytes at the same hop within the window: sent twice, or doubled by the network. Only where the packet went
  -- on to another hop since, or others show it, is this capture known not to record each frame more than once.
  local function repeats(entry, frame)
    local hop, soft = frame.hop, frame.soft
    local slot = slot_of(type(entry) == "table" and entry[entry.last] or entry)
    if not slot then
      return false
    end
    local node = nodes[slot]
    return contents[slot] == frame.content
      and node.counts[hop]
      and (softs[slot] == soft or first_softs[slot] == soft)
      and abs(frame.time - last_time[slot]) <= window
      and (node.depth > node.counts[hop] or classes[slot] and tally.once(classes[slot], hop))
  end

  -- What a packet that hops show no more teaches: how often each did. Not one that is larger than the wire takes: it is
  -- cut on its way, and what comes of it goes on.
  local function teach(slot, class)
    local weight, key = tally.weight(class), keys[slot]
    if weight == 0 or byte(key, 2) == TCP and cut_of.is_large(key) then
      return
    elseif proof.is_unique(key, contents[slot], transports[slot], tally.is_steady(class, proof.ident(key))) then
      for hop, count in pairs(nodes[slot].counts) do
        if count < MOST_SIGHTINGS then
          tally.miss(class, hop, count + 1, weight)
        end
      end
    end
  end

  -- Lets the packets first seen before a time teach; notes when there will be more of them.
  local function settle(before)
    for id = max(settled + 1, memory.oldest), memory.newest do
      local slot = id % SLOTS + 1
      local since = first_time[slot]
      if since >= before then
        next_settles = since
        return
      end
      settled = id
      local class = classes[slot]
      if class and not silent[slot] then
        teach(slot, class)
      end
    end
    next_settles = before
  end

  local function forget()
    paths.made = 0
    ids.forget()
    segments.forget()
    translations.forget()
  end

  local function make_room(frame)
    if memory.make_room(frame.time, #frame.content + #frame.key + #frame.header) then
      forget()
    end
  end

  local function add(frame, verdict)
    local key = frame.key
    local node = paths:step(nil, frame.hop)
    make_room(frame)
    local slot = memory.add(frame, node)
    local class = tally.class(frame.header, frame.form, key)
    classes[slot] = class
    undo_slot, undo_joined = slot, false
    local ident = proof.ident(key)
    if ident then
      undo_class, undo_ident = class, ident
      tally.identify(class, ident, 1)
    end
    found.verdict, found.evidence, found.rewritten = verdict, EVIDENCE.none, 0
    found.packet, found.previous, found.delta, found.elapsed, found.segment_of = frame.number, nil, nil, nil, nil
    return node
  end

  -- Adds what a packet became on its way: a segment of it, what was built from it, its translation.
  local function go_on(base, frame, verdict, evidence)
    local time, hop = frame.time, frame.hop
    local earlier = nodes[base]
    local node = paths:step(earlier, hop)
    if not node then
      return nil
    end
    local packet, since, previous, before = first_frame[base], first_time[base], last_frame[base], last_time[base]
    local what = changes.link(hop.kind, frame.form, frame.header, earlier.hop.kind, forms[base], headers[base])
    make_room(frame)
    local slot = memory.add(frame, node)
    first_frame[slot], first_time[slot] = packet, since
    undo_slot, undo_joined = slot, false
    found.verdict, found.evidence, found.rewritten = verdict, evidence, what
    found.packet, found.previous = packet, previous
    found.delta, found.elapsed = time - before, time - since
    if verdict == VERDICT.segment then
      wholes[slot] = previous
    end
    found.segment_of = wholes[slot]
    return node
  end

  -- A frame that is no packet seen before, but may be a part of one, or made of some, or its translation.
  -- @return the node of its path, or nil
  local function derive(frame, is_tcp, mark)
    local base, verdict, evidence = nil, VERDICT.duplicate, EVIDENCE.rewritten
    if is_tcp and flows.size > 0 then
      undo_segments = true
      verdict, evidence = VERDICT.segment, EVIDENCE.segment
      base = segments.whole(frame, flows)
      if not base then
        base, verdict = segments.parts(frame, flows), VERDICT.coalesced
      end
    end
    local nat = 0
    if not base and mark then
      base, verdict, evidence = translations.find(mark, frame), VERDICT.duplicate, EVIDENCE.rewritten
      nat = REWRITTEN.nat + (base and changes.soft(frame.soft, softs[base]) or 0)
    end
    if not base or frame.number - first_frame[base] >= MOST_DISTANCE then
      return nil
    end
    local node = go_on(base, frame, verdict, evidence)
    found.rewritten = found.rewritten + nat
    return node
  end

  --- Takes the next frame.
  -- @param frame a table with what `key.read` has read of it, and
  --   number: its number, counting up from 1
  --   time: seconds since any fixed moment
  --   hop: table, the place it was seen at, always the same table for the same place
  --   tag: nil, or what the capture tool calls the packet, equal for equal packets
  -- @return the node of its path; what else was found stands in `found` until the next step
  function grouping.step(frame)
    local time, key, tag = frame.time, frame.key, frame.tag
    undo_match, undo_class, undo_hit = false, nil, nil
    local before = time - SETTLED - 2 * memory.disorder
    if before > next_settles then
      settle(before)
    end
    if time == clock_time and key ~= clock_key then
      again.note_coarse_clock(time)
    end
    clock_time, clock_key = time, key
    if paths.made > MOST_OF_PATHS then -- only a capture made to defeat us has so many
      memory.next_generation()
      forget()
    end
    local entry = find(key)
    local slot, evidence, lesson, alone, is_equal
    if tag then
      slot, is_equal = ids.find(tag, time, key)
      evidence = slot and EVIDENCE["packet-id"]
    end
    if entry and not slot and not (tag and ids.are_believed()) then
      undo_match = true
      slot, evidence, lesson, alone = matching.find(entry, frame)
      is_equal = true
      if lesson then
        count_sighting(lesson, frame.hop, slot and abs(time - last_time[slot]))
      end
    end
    undo_ids, undo_flows, undo_segments = tag, false, false
    local node = slot and is_equal and join(slot, frame, evidence, alone)
    if node then
      return node
    end
    local transport = frame.transport
    local is_tcp = byte(key, 2) == TCP and flows.read(key, transport)
    local mark = mark_of(key, frame.content, transport)
    if slot and not is_equal then
      node = go_on(slot, frame, VERDICT.duplicate, evidence)
    else
      node = derive(frame, is_tcp, mark)
    end
    if not node then
      local verdict = VERDICT.original
      undo_flows = is_tcp
      local is_sent_again = is_tcp and flows.see(frame.hop, time, frame.content)
      if is_sent_again then
        verdict = VERDICT.retransmission
      elseif entry and repeats(entry, frame) then
        verdict = VERDICT["repeat"]
      end
      local larger = is_sent_again and flows.size > 0 and segments.repeated(frame, flows)
      local whole = larger and first_frame[larger]
      node = add(frame, verdict)
      if is_tcp then
        again.follow(frame, slot_of(memory.newest), flows.follow(memory.newest, key))
      end
      if whole and frame.number - whole < MOST_DISTANCE then
        wholes[slot_of(memory.newest)], found.segment_of = whole, whole
      end
    end
    if lesson then -- neither may say that it was not seen again
      silent[lesson], silent[slot_of(memory.newest)] = true, true
    end
    if tag then
      ids.note(memory.newest, tag)
    end
    if is_tcp and flows.size > 0 then
      segments.note(memory.newest, flows, key)
    end
    if mark then
      translations.note(memory.newest, mark)
    end
    return node
  end

  --- Takes a frame that cannot be grouped, for want of a time.
  function grouping.alone(number, hop)
    undo_slot = nil
    found.verdict, found.evidence, found.rewritten = VERDICT.original, EVIDENCE.none, 0
    found.packet, found.previous, found.delta, found.elapsed, found.segment_of = number, nil, nil, nil, nil
    return paths:step(nil, hop)
  end

  --- What is known of how often a hop records one packet of a frame's sender: see `tally.known`.
  function grouping.learned(hop, key, header, form)
    return tally.known(tally.class(header, form, key), hop)
  end

  --- Takes back the last step. What it made forget stays forgotten.
  function grouping.undo()
    local slot = undo_slot
    if not slot then
      return
    end
    if undo_match then
      matching.undo()
    end
    if undo_ids then
      ids.undo()
    end
    if undo_flows then
      flows.undo()
      again.undo_follow()
    end
    if undo_segments then
      segments.undo()
    end
    if undo_joined then
      nodes[slot].peak = undo_peak
      last_frame[slot], last_time[slot], nodes[slot] = undo_frame, undo_time, undo_node
      headers[slot], forms[slot], softs[slot] = undo_header, undo_form, undo_soft
    else
      memory.undo()
      if undo_class then
        tally.identify(undo_class, undo_ident, -1)
      end
    end
    if undo_hit then
      tally.unhit(undo_hit, undo_hit_hop, undo_sighting)
    end
    undo_slot = nil
  end

  --- Makes keys hold no more than `to` bytes of content, those of the packets known so far too: copies that were cut at
  -- different places share only what both have.
  function grouping.shorten(to)
    local from = grouping.span
    grouping.span = to
    memory.shorten(from, to)
    undo_slot = nil
  end

  return grouping
end

return M
