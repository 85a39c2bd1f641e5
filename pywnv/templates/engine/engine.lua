--- The engine: takes the frames of a capture one by one and says what each one is.
--
-- It makes no Wireshark call. Its bodies are the plugin inside Wireshark and tshark, and `batch` under lupa.

local codes, key, hop, packets = ...

local floor, sub = math.floor, string.sub

local WINDOW = 0.05 -- seconds
local NANO = 1e9

local M = { WINDOW = WINDOW, hop = hop.new }

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

--- A fresh engine for one capture.
-- @param window longest time between two sightings of one packet, in seconds; nil: WINDOW
-- @return table: frame, undo, found, learned
function M.new(window)
  local grouping = packets.new(window or WINDOW)
  local engine = { found = grouping.found, undo = grouping.undo, learned = grouping.learned }

  --- Takes the next frame.
  -- @param number  its number, counting up from 1
  -- @param time    seconds since any fixed moment; nil where the capture tells none
  -- @param place   as `hop.new` made it
  -- @param buf     a string that holds the frame
  -- @param at      index of its first byte
  -- @param stop    index of its last captured byte
  -- @param length  its length on the wire, in bytes
  -- @param tag     nil, or the packet id that the capture tool wrote: equal for equal packets
  -- @return the node of its path (see `path`); what else was found stands in `found` until the next frame
  function engine.frame(number, time, place, buf, at, stop, length, tag)
    if not time then
      return grouping.alone(number, place)
    end
    local span = grouping.span
    local packet_key, content, soft, room, cut, l3, transport, form = key.read(place.kind, buf, at, stop, length, span)
    if cut and room < span then
      grouping.shorten(math.max(room, 0))
      packet_key, content = key.read(place.kind, buf, at, stop, length, grouping.span)
    end
    local header = l3 and sub(buf, at, l3 - 1) or ""
    return grouping.step(number, time, place, packet_key, content, soft, cut, header, transport, form, tag)
  end

  return engine
end

--- Fills a table, keyed like the columns of the table of fields, with what was decided for a frame.
-- @param into      the table; what does not apply becomes nil
-- @param node      of its path
-- @param packet, previous  frame numbers; previous is nil for a first appearance
-- @param verdict, evidence, rewritten  codes
-- @param delta, elapsed    seconds, or nil
-- @param segment_of        a frame number, or nil
function M.describe(into, node, packet, previous, verdict, evidence, rewritten, delta, elapsed, segment_of)
  into.packet, into.appearance, into.duplicate = packet, node.depth, previous ~= nil
  into.duplicate_of, into.previous = previous and packet, previous
  into.verdict = verdict
  into.evidence = previous and evidence
  into.rewritten, into.segment_of = rewritten_text[rewritten], segment_of
  into.hop, into.hop_role, into.path = node.hop.name, node.hop.name and node.hop.role, node.text
  into.hop_delta = delta and floor(delta * NANO + 0.5) / NANO
  into.hop_elapsed = elapsed and floor(elapsed * NANO + 0.5) / NANO
end

return M
