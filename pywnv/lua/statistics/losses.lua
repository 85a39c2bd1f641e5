--- Packets that one observer of a joined capture saw, and the next one did not.
--
-- This notes by whom each packet was seen; ways.lua says of which it follows that they are missing. All packets are
-- followed, selected or not: they show which observer comes first, and when both captured. Packets to a group take
-- other paths, so they do not count.

local limits, tcp, codes, frame_of, is_to_group, ways_of = ...

local byte, concat, max, min, sub = string.byte, table.concat, math.max, math.min, string.sub
local layout = frame_of.layout

local SLOTS = limits.slots
local REPEAT = codes.verdict["repeat"]
local SYN, FIN = 2, 1 -- flags that take a sequence number, as TCP's data does
local ECHO = { ICMP = { [8] = true, [0] = true }, ICMPv6 = { [128] = true, [129] = true } } -- kinds
local IS_CUT = { [codes.verdict.segment] = true, [codes.verdict.coalesced] = true }

local M = {}

local segment = {}

-- Whether TCP sends a packet again if it does not arrive.
local function is_sent_until_it_arrives(frame)
  if not tcp.read(frame, segment) then
    return false
  end
  local flags = segment.flags
  return segment.size > 0 or flags % (2 * SYN) >= SYN or flags % (2 * FIN) >= FIN
end

--- The losses of one capture.
-- @param is_all whether no packets were selected
-- @return table: take, drop, settle, note_missed, finish
function M.new(is_all)
  local ways = ways_of.new()
  local losses = { note_missed = ways.note_missed }

  -- By slot, what is known of a packet: by how many observers it was seen (seen_by), and how, in the order of time:
  -- views, each with observer, hop and TTL (of the last sighting), first and last (times); views behind these are of
  -- older packets. `way` is false while the packet is not selected. A slot is false while it has none.
  local states = {}
  local free, free_count = {}, 0 -- states of packets that are over

  -- Notes a sighting of a packet.
  local function see(state, hop, time, ttl)
    local views, count = state.views, state.seen_by
    for at = 1, count do
      local view = views[at]
      if view.observer == hop.observer then
        view.first = time and view.first and min(view.first, time) or view.first
        if not time or not view.last or time >= view.last then
          view.last, view.hop, view.ttl = time, hop, ttl
        end
        return
      end
    end
    count = count + 1
    local view = views[count] or {}
    view.observer, view.hop, view.ttl, view.first, view.last = hop.observer, hop, ttl, time or false, time or false
    state.seen_by = count
    while count > 1 and time and views[count - 1].first and views[count - 1].first > time do
      views[count] = views[count - 1]
      count = count - 1
    end
    views[count] = view
  end

  -- Notes what the first sighting of a packet tells.
  -- @param ends of it, with name; nil: it is not understood
  local function begin(state, frame, ends, said)
    state.packet, state.way, state.seen_by = said.packet, is_all and "" or false, 0
    state.flow_name, state.whole_name, state.translated, state.is_dropped = nil, nil, nil, false
    state.is_needed, state.was_again, state.is_cut, state.length = false, false, false, frame.length
    state.is_doubtful = said.verdict == REPEAT or said.rule == "ambiguous"
    local kind = byte(frame.key, 1)
    if not ends or kind ~= 4 and kind ~= 6 or is_to_group(frame) then
      return
    end
    state.flow_name = ends.name
    state.whole_name = concat({ ends.protocol, ends.source, ends.destination }, ">")
    if ends.protocol == "TCP" then
      state.is_needed = is_sent_until_it_arrives(frame)
    elseif ECHO[ends.protocol] then
      local ports = layout(frame.key).ports
      state.flow_name = ends.name .. sub(frame.key, ports, ports + 3)
      -- Errors are about other packets: a NAT may keep what passes for others.
      state.is_doubtful = state.is_doubtful or not ECHO[ends.protocol][byte(frame.key, ports + 4)]
    end
  end

  local function state_of(packet)
    local state = states[packet % SLOTS]
    return state and state.packet == packet and state or nil
  end

  --- Takes a sighting of a packet.
  -- @param ends       of its first sighting, with name; nil: it is not understood
  -- @param translated the name of the ends that a NAT gave the packet here, or nil
  -- @param way        to or from what was selected; nil if the packet is not, so far
  function losses.take(frame, said, ends, hop, time, translated, way)
    local state
    if said.packet == frame.number then
      state = free[free_count] or { views = {} }
      free_count = max(free_count - 1, 0)
      states[said.packet % SLOTS] = state
      begin(state, frame, ends, said)
    else
      state = state_of(said.packet)
    end
    if not state or not state.flow_name then
      return
    end
    state.way = state.way or way or false
    state.translated = translated or state.translated
    state.is_cut = state.is_cut or IS_CUT[said.verdict] or false
    state.is_dropped = state.is_dropped or said.drop or false
    local before = said.repeat_of and state_of(said.repeat_of)
    if before then
      before.was_again = true
    end
    see(state, hop, time, frame.ttl)
  end

  --- Notes that a drop tells of a packet.
  function losses.drop(packet)
    local state = state_of(packet)
    if state then
      state.is_dropped = true
    end
  end

  --- Of the packet in this slot no more sightings are expected.
  function losses.settle(slot)
    local state = states[slot]
    if state then
      if state.flow_name then
        ways.settle(state)
      end
      states[slot], free_count = false, free_count + 1
      free[free_count] = state
    end
  end

  --- All of them, as ways.lua lists them.
  -- @param number of the capture's last frame
  function losses.finish(number)
    for packet = max(1, number - SLOTS + 1), number do
      losses.settle(packet % SLOTS)
    end
    return ways.finish()
  end

  return losses
end

return M
