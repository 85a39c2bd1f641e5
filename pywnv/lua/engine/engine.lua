--- The engine: takes the frames of a capture one by one and says what each one is.
--
-- It makes no Wireshark call. It runs in two programs (its "bodies"): in the plugin inside Wireshark and tshark, and in
-- `batch` under lupa.

local hop, decider, tool_comments, annotation, record, facts, direction, limits, topology, describe, host_drops = ...

local readers = record.readers
local abs, ceil, next = math.abs, math.ceil, next

-- What is learned of a capture is as old as an epoch, and what is learned in warming up for it: so each epoch can be
-- decided apart from those before, and memory is bounded.
local EPOCH, WARM_UP = 2 ^ 20, 2 ^ 16 -- frames
local ROOM = 1e-10 -- seconds that a double cannot hold
local LEARN = 1000 -- a capture whose first frames carry no note of a kind has none: to look for it costs

local M = { WINDOW = limits.window, EPOCH = EPOCH, WARM_UP = WARM_UP, hop = hop.new }

-- The name that `annotate --format pcapng` gives the interface of a classic pcap, which has none.
local NO_INTERFACE = "no interface (from a pcap file)"

--- A fresh engine for one capture.
-- @param window longest time between two sightings of one packet, in seconds; nil: WINDOW
-- @param epoch, warm_up  frames; nil: EPOCH, WARM_UP
-- @return table: place, wants, read, look, decide, commit, discard, pass, journal; found
function M.new(window, epoch, warm_up)
  limits.window = window or M.WINDOW
  epoch, warm_up = epoch or EPOCH, warm_up or WARM_UP
  local places = hop.registry(topology)
  local function owner(mac)
    return places:owner(mac)
  end
  local taken, taken_read, taken_noted -- the frame that was looked up; what `take_notes` gave for it
  -- Where the host's rules are known: what explains drops; what the last packet shows.
  local drops, last_shows = host_drops and host_drops.new(), {}
  local function keep(frame)
    return host_drops.keep(frame, taken_read)
  end
  local function new_decider()
    return decider.new(owner, drops and keep)
  end
  -- What decides in this epoch; what will in the next one, while it warms up; the number of this epoch's last frame.
  local now, next_epoch, ends = new_decider(), nil, epoch
  local facts_of, ruled, read_own = facts.new(), facts.ruled(), annotation.reader()
  local has_comments = false -- by other tools
  local all = { comment = true, id = true, flags = true, verdict = true }
  local seen = { comment = false, id = false, flags = false, verdict = false }
  local has_owners = next(topology.mac or {}) ~= nil
  local is_directed = has_owners -- whether a place or a MAC is known that can tell a direction
  local last_number, last_time -- of the last packet
  local pending = {} -- the number and time of the packet that was decided last, until it is committed; or an event

  local engine = { found = now.found }

  --- The place of an interface. Ask for it at the first frame there, in file order: then every body gives it the same
  -- name.
  -- @param number of that frame
  -- @param kind, id, name, description as `hop.new` takes them
  function engine.place(_, kind, id, name, description)
    if name == NO_INTERFACE then
      id, name, description = nil, nil, nil
    end
    local place = places:place(kind, id, name, description)
    place.facts = facts.of_place(place)
    is_directed = is_directed or direction.side(place) ~= nil
    return place
  end

  --- Which kinds of `tool_metadata`, and whether packet ids, are worth looking for in a frame.
  -- @return table: comment, id, flags, verdict: true or false
  function engine.wants(number)
    return number <= LEARN and all or seen
  end

  -- Reads what else a tool wrote. A file that pywnv has annotated is decided anew, as if it had not been, but its hops
  -- keep their names.
  -- @return the first comment that a known tool wrote, as `tool_comments.read` gives it, or nil; the packet id that a
  --   tool gave, or nil; the table that our comment shares with others, see `annotation`, or nil
  local function read_tool_metadata(number, tool_metadata, tag)
    local read, has_comment, shared, tool_id = nil, false, nil, nil
    for at = 1, tool_metadata.count do
      local own = read_own(tool_metadata[at])
      if own then
        seen.comment, shared, tool_id = true, shared or own.shared, tool_id or own.tool_id
      elseif number <= LEARN or has_comments then
        has_comment = true
        read = read or tool_comments.read(tool_metadata[at])
      end
    end
    has_comments = has_comments or has_comment
    seen.comment = seen.comment or has_comment
    seen.flags = seen.flags or tool_metadata.flags ~= nil
    -- A trace of pktmon has flags at each packet and comments at none, and drops may come late.
    seen.verdict = seen.verdict or tool_metadata.dropped or tool_metadata.flags ~= nil and not has_comment
    if shared then
      tag = tool_id
    end
    return read, tag, shared
  end

  local function near(time)
    return time and last_time and abs(time - last_time) <= limits.near + ROOM and last_number or nil
  end

  --- Reads a frame: the first step, which a body may do for some frames at once.
  -- @param frame a table, which the engine goes on with:
  --   kind: of its link header, as `engine.place` takes it
  --   buf: a string that holds the frame
  --   at, stop: indices of its first and of its last captured byte
  --   length: its length on the wire, in bytes
  function engine.read(frame)
    local reader = now or next_epoch
    if not reader then
      frame.span = nil -- whoever takes it will read it
    elseif not readers[frame.kind] then
      reader.read(frame)
    end
  end

  -- Reads what a tool wrote beside a packet, and where it was seen.
  -- @return a comment, as `tool_comments.read` gives it, or nil; the direction that was noted, or nil
  local function take_notes(frame)
    local number, place, tag, tool_metadata = frame.number, frame.hop, frame.tag, frame.tool_metadata
    local read, noted, shared
    if tool_metadata then
      read, tag, shared = read_tool_metadata(number, tool_metadata, tag)
    end
    if tag and place.id and (number <= LEARN or seen.id) then
      seen.id = true
      frame.tag = place.observer and place.observer .. "\n" .. tag or tag
    else
      frame.tag = nil
    end
    if read then
      place = places:noted(place, read)
      frame.hop = place
    end
    if not place.is_annotated then
      places:annotated(place, shared)
      is_directed = is_directed or direction.side(place) ~= nil
    end
    if tool_metadata then
      noted = tool_metadata.flags and direction.noted(place, read, tool_metadata.flags, frame.tag)
    end
    frame.is_drop = read and read.drop or tool_metadata and tool_metadata.dropped or false
    pending.number, pending.time = number, frame.time
    return read, noted
  end

  -- Lets the next epoch begin when it is time. There may be no packets for whole epochs.
  local function go_on(number)
    if number > ends then
      now = number <= ends + epoch and next_epoch or new_decider()
      next_epoch, ends = nil, ceil(number / epoch) * epoch
    end
    if number > ends - warm_up and not next_epoch then
      next_epoch = new_decider()
    end
    if now then
      engine.found = now.found
    end
  end

  -- Says what an event is about.
  -- @return as `journal`
  local function take_event(said, time)
    pending.event, pending.time = said and said.said, time
    if not said then
      return nil
    end
    local before, packet, sample, is_to_group, rule = near(time), nil, nil, false, nil
    if now then
      packet, sample, is_to_group = now.decide_event(said.said, time)
    end
    if drops and said.drop then
      rule = drops.event(said, sample or before and last_shows or nil, sample ~= nil)
    end
    return places:named(packet and is_to_group and said.if_to_group or said), before, packet, rule
  end

  --- Looks up what is known of the next frame, which has been read. Each step is a function of its own, so that a
  -- tracing compiler makes code for each, not for each way through all of them.
  -- @param frame the table, in which there is now, too,
  --   number: of the frame, counting up from 1
  --   time: seconds since any fixed moment; nil if the capture tells none
  --   hop: as `engine.place` made it
  --   tag: nil, or the packet id that the capture tool wrote: equal for equal packets
  --   tool_metadata: nil, or what else the tool wrote, a table: count and [1], [2] ... its comments, flags (1 or 2: the
  --     direction, of epb_flags) or nil, dropped (true: its verdict says so) or nil
  function engine.look(frame)
    taken = frame
    if readers[frame.hop.kind] then
      return
    end
    taken_read, taken_noted = take_notes(frame)
    if frame.number > ends - warm_up then
      go_on(frame.number)
    end
    if now then
      now.look(frame)
    end
  end

  --- Says what the frame is that was looked up. It counts once `commit` is called.
  -- @return for a packet the node of its path (see `path`), and what else was found stands in `found` until the next
  --   frame; for an event as `journal`, behind nil
  function engine.decide()
    local frame = taken
    local read_record = readers[frame.hop.kind]
    if read_record then
      return nil, take_event(read_record(frame.buf, frame.at, frame.stop), frame.time)
    elseif not now then
      return nil
    end
    local node, way = now.decide(taken_read, taken_noted, is_directed)
    local has_facts = taken_read or way or frame.is_drop
    local known = has_facts and facts_of(frame.hop, taken_read, way, frame) or nil
    if drops and known and known.drop then
      local rule = drops.packet(frame, taken_read, known)
      known = rule and ruled(known, rule) or known
    end
    now.found.facts = known
    return node
  end

  --- Notes the frame that was decided last; and the places that were made for it.
  function engine.commit()
    places:commit()
    if now then
      now.commit(is_directed)
    end
    if next_epoch then -- which takes only what counts
      if pending.number then
        next_epoch.look(taken, true)
        next_epoch.decide(taken_read, taken_noted, is_directed)
      elseif pending.event then
        next_epoch.decide_event(pending.event, pending.time)
      end
      next_epoch.commit(is_directed)
    end
    if pending.number then
      last_number, last_time = pending.number, pending.time
      if drops then
        host_drops.note(last_shows, taken, taken_read)
      end
    end
    pending.number, pending.event = nil, nil
  end

  --- Forgets it: Wireshark's read filter dissects a frame before it counts.
  function engine.discard()
    places:discard()
    pending.number, pending.event = nil, nil
    if now then
      now.discard()
    end
  end

  --- Takes the next frame, but leaves it undecided, as others decide it; and what follows too, up to the next epoch.
  -- @param frame as `frame` takes it; it need not have been read
  function engine.pass(frame)
    if not readers[frame.hop.kind] then
      taken, taken_read = frame, take_notes(frame)
      now, next_epoch, ends = nil, nil, ceil(frame.number / epoch) * epoch
      engine.commit()
    end
  end

  --- Takes a journal entry, which is a frame of its own. It counts once `commit` is called.
  -- @param time as `frame` takes it
  -- @param body string
  -- @return what it says, to be shown by `describe_event`; the number of the packet just before it; the packet that it
  --   is about, where that is proved; the rule of the host that explains a drop; nil if it is not an event of a packet
  function engine.journal(time, body)
    return take_event(record.journal(body), time)
  end

  return engine
end

M.read_journal, M.journal_annotation, M.EVENT_PROTOCOL = record.journal, record.annotation_of, record.PROTOCOL
M.verdict, M.describe, M.describe_event = describe.verdict, describe.packet, describe.event

return M
