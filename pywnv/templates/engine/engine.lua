--- The engine: takes the frames of a capture one by one and says what each one is.
--
-- It makes no Wireshark call. Its bodies are the plugin inside Wireshark and tshark, and `batch` under lupa.

local codes, hop, path, decider, note, record, facts, direction, topology = ...

local readers = record.readers
local abs, ceil, floor, next = math.abs, math.ceil, math.floor, next
local text_of = path.text

local WINDOW = 0.05 -- seconds
-- What is learned of a capture is as old as an epoch, and what is learned in warming up for it: so each epoch can be
-- decided apart from those before, and memory is bounded.
local EPOCH, WARM_UP = 2 ^ 20, 2 ^ 16 -- frames
local NANO = 1e9
local NEAR = 1e-3 + 1e-10 -- seconds, and room for what a double cannot hold
local LEARN = 1000 -- a capture whose first frames carry no note of a kind has none: to look for it costs

local M = { WINDOW = WINDOW, EPOCH = EPOCH, WARM_UP = WARM_UP, hop = hop.new }

-- The names in a sum of REWRITTEN, in the order of the table.
local function rewritten_names(what)
  local names = {}
  for bit = 0, #codes.rewritten_names do
    if floor(what / 2 ^ bit) % 2 == 1 then
      names[#names + 1] = codes.rewritten_names[bit + 1]
    end
  end
  return table.concat(names, ",")
end

local rewritten_text = {}
for what = 1, 2 ^ #codes.rewritten_names - 1 do
  rewritten_text[what] = rewritten_names(what)
end

-- What etl2pcapng and etwdump write as direction.
local DIRECTION_OF_FLAGS = { codes.direction.inbound, codes.direction.outbound }

-- The name that `annotate --format pcapng` gives the interface of a classic pcap, which has none.
local NO_INTERFACE = "no interface (from a pcap file)"

-- The direction that a tool noted, where it can be believed: that of a NIC in a trace of netsh or NetEvent. In one of
-- pktmon, all packets have the same; at a vmSwitch's port it is the way through the switch, not through the host.
-- `pywnv convert` writes true ones: at the NICs that lead out of the host they are the host's.
local function noted_direction(place, read, flags, tag)
  if place.component_id then
    return (direction.is_outer(place) or place.driver == "netvsc.sys") and DIRECTION_OF_FLAGS[flags] or nil
  elseif place.nic_type or place.driver or read and read.nic_type then
    return nil
  elseif read and read.pid or place.ifindex and not tag then
    return DIRECTION_OF_FLAGS[flags]
  end
  return nil
end

--- A fresh engine for one capture.
-- @param window longest time between two sightings of one packet, in seconds; nil: WINDOW
-- @param epoch, warm_up  frames; nil: EPOCH, WARM_UP
-- @return table: place, wants, read, frame, pass, journal, undo; found, learned
function M.new(window, epoch, warm_up)
  window, epoch, warm_up = window or WINDOW, epoch or EPOCH, warm_up or WARM_UP
  local places = hop.registry(topology)
  local function owner(mac)
    return places:owner(mac)
  end
  -- What decides in this epoch; what will in the next one, while it warms up; the number of this epoch's last frame.
  local now, heir, ends = decider.new(window, owner), nil, epoch
  local facts_of = facts.new()
  local has_comments = false -- by other tools
  local all = { comment = true, id = true, flags = true, verdict = true }
  local seen = { comment = false, id = false, flags = false, verdict = false }
  local has_owners = next(topology.mac or {}) ~= nil
  local is_directed = has_owners -- whether a place or a MAC is known that can tell a direction
  local last_number, last_time -- of the last packet

  -- For undo: the numbers of the frames that made a place, and were taken.
  local made_at, taken_at
  local undo_directed, undo_number, undo_time

  local engine = { found = now.found, learned = now.learned }

  local function keep_places(number)
    if made_at ~= number then
      places:keep()
      made_at, undo_directed = number, is_directed
    end
  end

  --- The place of an interface. Ask for it at the first frame there, in file order: then every body gives it the same
  -- name.
  -- @param number of that frame
  -- @param kind, id, name, description as `hop.new` takes them
  function engine.place(number, kind, id, name, description)
    keep_places(number)
    if name == NO_INTERFACE then
      id, name, description = nil, nil, nil
    end
    local place = places:place(kind, id, name, description)
    place.facts = facts.of_place(place)
    is_directed = is_directed or direction.side(place) ~= nil
    return place
  end

  --- What of the things that `frame` takes as `carried`, and of packet ids, is worth looking for at a frame.
  -- @return table: comment, id, flags, verdict: true or false
  function engine.wants(number)
    return number <= LEARN and all or seen
  end

  -- Notes what else a tool wrote. A file that pywnv has annotated is decided anew, as if it had not been.
  -- @return the first comment that a known tool wrote, as `note.read` gives it, or nil; whether the packet id is ours
  local function read_carried(number, carried)
    local read, has_comment, owns_id = nil, false, false
    for at = 1, carried.count do
      local is_own, is_own_id = note.is_own(carried[at])
      if is_own then
        seen.comment, owns_id = true, owns_id or is_own_id
      elseif number <= LEARN or has_comments then
        has_comment = true
        read = read or note.read(carried[at])
      end
    end
    has_comments = has_comments or has_comment
    seen.comment = seen.comment or has_comment
    seen.flags = seen.flags or carried.flags ~= nil
    -- A trace of pktmon has flags at each packet and comments at none, and drops may come late.
    seen.verdict = seen.verdict or carried.dropped or carried.flags ~= nil and not has_comment
    return read, owns_id
  end

  local function near(time)
    return time and last_time and abs(time - last_time) <= NEAR and last_number or nil
  end

  --- Reads a frame: the first step, which a body may do for some frames at once.
  -- @param frame a table, which the engine goes on with:
  --   kind: of its link header, as `engine.place` takes it
  --   buf: a string that holds the frame
  --   at, stop: indices of its first and of its last captured byte
  --   length: its length on the wire, in bytes
  function engine.read(frame)
    local reader = now or heir
    if not reader then
      frame.span = nil -- whoever takes it will read it
    elseif not readers[frame.kind] then
      reader.read(frame)
    end
  end

  -- Notes what a tool wrote beside a packet, and where it was seen.
  -- @return a comment, as `note.read` gives it, or nil; the direction that was noted, or nil
  local function take_notes(frame)
    local number, place, tag, carried = frame.number, frame.hop, frame.tag, frame.carried
    local read, noted, owns_id
    if carried then
      read, owns_id = read_carried(number, carried)
    end
    if tag and (owns_id or not place.id) then
      frame.tag = nil -- no tool gave it
    elseif tag then
      seen.id = true
    end
    if carried then
      if read then
        keep_places(number)
        place = places:noted(place, read)
        frame.hop = place
        is_directed = is_directed or direction.side(place) ~= nil
      end
      noted = carried.flags and noted_direction(place, read, carried.flags, frame.tag)
    end
    undo_number, undo_time = last_number, last_time
    taken_at, last_number, last_time = number, number, frame.time
    return read, noted
  end

  -- Lets the heir take over, and a new one begin, when it is time. There may be no packets for whole epochs.
  local function go_on(number)
    if number > ends then
      now = number <= ends + epoch and heir or decider.new(window, owner)
      heir, ends = nil, ceil(number / epoch) * epoch
    end
    if number > ends - warm_up and not heir then
      heir = decider.new(window, owner)
    end
    if now then
      engine.found, engine.learned = now.found, now.learned
    end
  end

  --- Takes the next frame, which has been read.
  -- @param frame the table, in which there is now, too,
  --   number: of the frame, counting up from 1
  --   time: seconds since any fixed moment; nil where the capture tells none
  --   hop: as `engine.place` made it
  --   tag: nil, or the packet id that the capture tool wrote: equal for equal packets
  --   carried: nil, or what else the tool wrote, a table: count and [1], [2] ... its comments, flags (1 or 2: the
  --     direction, of epb_flags) or nil, dropped (true: its verdict says so) or nil
  -- @return for a packet the node of its path (see `path`), and what else was found stands in `found` until the next
  --   frame; for an event as `journal`, behind nil
  function engine.frame(frame)
    local number, place = frame.number, frame.hop
    local read_record = readers[place.kind]
    if read_record then
      local said = read_record(frame.buf, frame.at, frame.stop)
      return nil, said, said and near(frame.time)
    end
    local read, noted = take_notes(frame)
    if number > ends - warm_up then
      go_on(number)
      if heir then
        heir.take(frame, noted, is_directed)
      end
    end
    if not now then
      return nil
    end
    local node, way = now.take(frame, noted, is_directed)
    local carried = frame.carried
    local is_dropped = carried and carried.dropped
    now.found.facts = (read or way or is_dropped) and facts_of(frame.hop, read, way, is_dropped) or nil
    return node
  end

  --- Takes the next frame, but leaves it undecided, as others decide it; and what follows too, up to the next epoch.
  -- @param frame as `frame` takes it; it need not have been read
  function engine.pass(frame)
    if not readers[frame.hop.kind] then
      take_notes(frame)
      now, heir, ends = nil, nil, ceil(frame.number / epoch) * epoch
    end
  end

  --- Takes a journal entry, which is a frame of its own.
  -- @param time as `frame` takes it
  -- @param body string
  -- @return what it says, to be shown by `describe_event`, and the number of the packet just before it; nil where it is
  --   no event of the vmSwitch
  function engine.journal(time, body)
    local said = record.journal(body)
    return said, said and near(time)
  end

  --- Takes back a frame, if it was the last: Wireshark's read filter dissects a frame before it counts.
  function engine.undo(number)
    if made_at == number then
      places:undo()
      is_directed, made_at = undo_directed, nil
    end
    if heir then
      heir.undo(number)
    end
    if now then
      now.undo(number)
    end
    if taken_at == number then
      last_number, last_time, taken_at = undo_number, undo_time, nil
    end
  end

  return engine
end

--- Fills a table, keyed like the columns of the table of fields, with what was decided for a frame.
-- @param into      the table, always used for packets; what does not apply becomes nil
-- @param node      of its path
-- @param packet, previous  frame numbers; previous is nil for a first appearance
-- @param verdict, evidence, rewritten  codes
-- @param delta, elapsed    seconds, or nil
-- @param segment_of        a frame number, or nil
-- @param known     the frame's facts as `found` had them, or nil
function M.describe(into, node, packet, previous, verdict, evidence, rewritten, delta, elapsed, segment_of, known)
  into.packet, into.appearance, into.duplicate = packet, node.depth, previous ~= nil
  into.duplicate_of, into.previous = previous and packet, previous
  into.verdict = verdict
  into.evidence = previous and evidence
  into.rewritten, into.segment_of = rewritten_text[rewritten], segment_of
  into.hop, into.hop_role, into.path = node.hop.name, node.hop.name and node.hop.role, text_of(node)
  into.hop_delta = delta and floor(delta * NANO + 0.5) / NANO
  into.hop_elapsed = elapsed and floor(elapsed * NANO + 0.5) / NANO
  known = known or node.hop.facts or facts.NONE
  if into.facts ~= known then
    into.facts = known
    into.direction, into.vlan, into.port, into.nic = known.direction, known.vlan, known.port, known.nic
    into.nic_type, into.pid = known.nic_type, known.pid
    into.drop, into.drop_reason, into.drop_reason_text = known.drop, known.drop_reason, known.drop_reason_text
    into.drop_location, into.drop_advice = known.drop_location, known.drop_advice
  end
end

--- Fills a table with what an event says, as `describe` does for a packet.
-- @param into the table, always used for events
-- @param said, near as `journal` returned them
function M.describe_event(into, said, near_packet)
  into.verdict, into.event_near = said.verdict, near_packet
  into.event, into.event_nic, into.event_destination_nic = said.event, said.event_nic, said.event_destination_nic
  into.event_switch, into.drop, into.drop_reason = said.event_switch, said.drop, said.drop_reason
  into.drop_reason_text, into.drop_advice = said.drop_reason_text, said.drop_advice
  into.protocol, into.info = said.protocol, said.info
end

return M
