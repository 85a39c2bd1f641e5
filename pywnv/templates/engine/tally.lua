--- How often a hop records one packet: learned, by who sent it to whom, from packets that cannot repeat by themselves.
--
-- A port that is mirrored twice, a trace of several edges of one component, or a driver that shows what a host sends
-- twice: each records every packet of some senders a fixed number of times. Whether a frame that could be either
-- shows a packet again, or is another one with the same bytes, is judged by that.

local byte, sub = string.byte, string.sub
local max, min = math.max, math.min

local MOST_CLASSES = 4096 -- of senders and receivers; then learning starts anew
local MOST_KNOWN = 65536 -- so much is learned of senders at hops; then likewise
local LONGEST_NAME = 22 -- bytes of a link header: addresses, two VLAN tags, EtherType
local MOST_IDENTS = 256 -- IP IDs remembered of a sender; far fewer than there are, so that few meet by chance
local ENOUGH = 64 -- packets that have taught; from then on one in SAMPLE does
local SAMPLE = 8
local FORGET_AT = 128 -- old counts are halved there, so that what changes is learned
local SURE = 8 -- packets without a further sighting that make its absence a rule
local RARE = 12 -- of so many packets without a further sighting, one with it is the network's making
local MOST_TOLD = 16 -- sightings
local FEW = 4 -- sightings that let all senders of a hop speak for a new one; IP IDs that tell a sender from a scanner
-- A sighting may follow the one before after so many times the usual gap, or seconds; later ones are other packets,
-- even those that cannot repeat by themselves: the network doubled them.
local LOOSE, LEAST_LOOSE = 8, 100e-6
local LOOSE_STEP = 16 -- the same of the one step before that sighting: queues between processors vary
local LATE, LEAST_LATE = 16, 100e-6
local MOST_BATCHES, LOST_BATCH = 16, 2 -- that count; how many batches one packet speaks against that was none
local LEARNS = 1 / 16 -- how much one gap tells of the usual one

local M = {}

local function count(tally, other, which, weight)
  local now = (tally[which] or 0) + weight
  tally[which] = now
  if now >= FORGET_AT then
    tally[which], other[which] = now / 2, (other[which] or 0) / 2
  end
end

-- The usual gap, once one more is known.
local function near(usual, gap)
  return usual + (gap - usual) * (usual > 0 and LEARNS or 1)
end

-- Counts an n-th sighting, a gap after the one before.
local function see(known, n, gap)
  count(known.hits, known.misses, n, 1)
  if gap then
    known.gap = near(known.gap, gap)
    known.gaps[n] = near(known.gaps[n] or 0, gap)
  end
end

--- What is learned of one capture.
function M.new()
  local classes, senders, number = {}, {}, 0
  local hops = {} -- what all senders have in common
  local known_number = 0
  local tally = {}

  -- What is known of a hop, for some senders: hits[n] packets were seen an n-th time there, misses[n] were not; the
  -- usual gap before a sighting, and before the n-th: some steps are handed to another processor.
  local function at(holder, hop)
    local known = holder.at[hop]
    if not known then
      known = { hits = {}, misses = {}, gap = 0, gaps = {} }
      holder.at[hop], known_number = known, known_number + 1
    end
    return known
  end

  local function everybody(hop)
    local known = hops[hop] or { at = {} }
    hops[hop] = known
    return known
  end

  --- The class of a packet: who sent it to whom, as far as its first sighting tells.
  -- @param header its link header
  -- @param form   what stands around the packet, as `key.read` says
  -- @param key    of the packet
  -- @return table; the same one for the same senders and receivers
  function tally.class(header, form, key)
    local name = header
    if form == "wifi" then
      name = sub(header, 5, 22)
    elseif #header < 12 then
      name = sub(key, 10, 17) -- no MACs: the IP addresses, or a part of them
    elseif form or #header > LONGEST_NAME then
      name = sub(header, 1, LONGEST_NAME)
    end
    if known_number > MOST_KNOWN then
      classes, senders, number, hops, known_number = {}, {}, 0, {}, 0
    end
    local class = classes[name]
    if class then
      return class
    end
    if number >= MOST_CLASSES then
      classes, senders, number = {}, {}, 0
    end
    local from = sub(name, 7, 12)
    local sender = senders[from] or { at = {}, idents = {}, known = 0 }
    senders[from] = sender
    local is_group = #header >= 12 and byte(name, 1) % 2 == 1
    class = { sender = sender, is_group = is_group, at = {}, taught = 0, batches = 0 }
    classes[name] = class
    number = number + 1
    return class
  end

  --- Counts the packets with an IP ID: a sender that gives several packets the same one says nothing with it.
  -- @param ident number
  -- @param more  1, or -1 to take one back
  function tally.identify(class, ident, more)
    local sender = class.sender
    local idents = sender.idents
    if not idents[ident] then
      if sender.known >= MOST_IDENTS then
        idents = {}
        sender.idents, sender.known = idents, 0
      end
      sender.known = sender.known + 1
    end
    idents[ident] = (idents[ident] or 0) + more
    if idents[ident] == 2 and sender.known < FEW then -- what its packets have taught counts no more
      class.at, sender.at = {}, {}
    end
  end

  --- Whether a sender gave several packets this IP ID (nil: none).
  function tally.is_steady(class, ident)
    return ident ~= nil and (class.sender.idents[ident] or 0) > 1
  end

  --- A packet that cannot repeat was seen an n-th time at a hop.
  -- @param gap seconds since the sighting before; nil where that tells nothing
  function tally.hit(class, hop, n, gap)
    local all = at(everybody(hop), hop)
    if all.sender ~= class.sender then
      all.several, all.sender = all.sender ~= nil, class.sender
    end
    see(at(class, hop), n, gap)
    see(at(class.sender, hop), n, gap)
    see(all, n, gap)
  end

  --- Takes back the last `hit`.
  function tally.unhit(class, hop, n)
    for _, holder in ipairs({ class, class.sender, everybody(hop) }) do
      local hits = at(holder, hop).hits
      hits[n] = max((hits[n] or 0) - 1, 0)
    end
  end

  --- A packet that cannot repeat was not seen an n-th time at a hop.
  -- @param weight how many packets this one stands for
  function tally.miss(class, hop, n, weight)
    local own, sender, all = at(class, hop), at(class.sender, hop), at(everybody(hop), hop)
    count(own.misses, own.hits, n, weight)
    count(sender.misses, sender.hits, n, weight)
    count(all.misses, all.hits, n, weight)
  end

  --- Notes what came of a packet of a class that had been seen once when the next one of its flow came.
  -- @param is_batch whether it was seen again after that: the next did not wait for it to go on; else that was lost
  function tally.note_batch(class, is_batch)
    class.batches = is_batch and min(class.batches + 1, MOST_BATCHES) or max(class.batches - LOST_BATCH, -MOST_BATCHES)
  end

  --- Whether packets of a class come in batches, each of which a hop shows once before it shows the first again.
  function tally.has_batches(class)
    return class.batches > 0
  end

  --- Gives up a class: one packet of it came on and on, as in a loop of the network, or a flood.
  function tally.distrust(class)
    if not class.is_storm then
      class.is_storm, class.at, class.sender.at = true, {}, {}
    end
  end

  --- For how many packets of a class the next one stands: enough have taught after a while.
  function tally.weight(class)
    if class.is_storm then
      return 0
    end
    class.taught = class.taught + 1
    if class.taught <= ENOUGH then
      return 1
    end
    return class.taught % SAMPLE == 0 and SAMPLE or 0
  end

  --- Whether a packet of a class is to be seen an n-th time at a hop.
  -- @param gap seconds since the sighting before
  -- @return true, false, or nil where nothing is known
  function tally.expects(class, hop, n, gap)
    local known = class.at[hop]
    local hits, misses = 0, 0
    if known then
      hits, misses = known.hits[n] or 0, known.misses[n] or 0
    end
    if hits + misses == 0 then -- its sender may be known from others that it talks to
      known = class.sender.at[hop]
      if known then
        local which = class.is_group and 2 or n -- a flood passes more ports
        hits, misses = known.hits[which] or 0, 4 * (known.misses[which] or 0)
      end
    end
    if hits + misses == 0 then
      known = at(everybody(hop), hop)
      if known.several and (known.hits[2] or 0) > RARE * (known.misses[2] or 0) and (known.hits[n] or 0) >= FEW then
        hits = known.hits[n]
      end
    end
    if hits + misses == 0 then
      return nil
    end
    local step = not class.is_group and known.gaps[n] or 0 -- a flood's steps are its own
    return hits >= misses and gap <= max(LOOSE * known.gap, LOOSE_STEP * step, LEAST_LOOSE)
  end

  --- A packet that cannot repeat had other addresses at its n-th sighting at a hop: a bridge wrote its own.
  function tally.move(class, hop, n)
    local known = at(class.sender, hop)
    known.moves = known.moves or {}
    known.moves[n] = true
  end

  --- Whether packets of a sender are known to have other addresses at their n-th sighting at a hop.
  function tally.moves(class, hop, n)
    local known = class.sender.at[hop]
    return known and known.moves and known.moves[n]
  end

  -- Hits and misses of the n-th sighting of a class, or if nothing is known of that, of its sender.
  local function counts(class, hop, n)
    local known = class.at[hop]
    if not (known and (known.misses[n] or known.hits[n])) then
      known = class.sender.at[hop]
    end
    if not known then
      return 0, 0
    end
    return known.hits[n] or 0, known.misses[n] or 0
  end

  --- Whether a hop is known to record packets of a class once.
  function tally.once(class, hop)
    local hits, misses = counts(class, hop, 2)
    return hits * RARE < misses
  end

  --- Whether it is a rule that a hop shows packets of a class an n-th time.
  function tally.lacks(class, hop, n)
    for which = n, n + 1 do -- what is shown once more was shown, though the first in another shape is not counted
      local hits, misses = counts(class, hop, which)
      if hits >= FEW and hits > misses then
        return true
      end
    end
    return false
  end

  --- Whether it is a rule that a hop does not show packets of a class an n-th time, or seldom and not so late.
  function tally.never(class, hop, n, gap)
    local hits, misses = counts(class, hop, n)
    if misses >= SURE and hits * RARE < misses then
      return true
    end
    local known = class.at[hop]
    return known ~= nil
      and (known.hits[2] or 0) >= FEW
      and hits < misses
      and gap > max(LATE * known.gap, LEAST_LATE)
  end

  --- What is known of a class at a hop.
  -- @return a list of pairs {hits, misses}, for the 2nd, 3rd ... sighting
  function tally.known(class, hop)
    local list = {}
    for n = 2, MOST_TOLD do
      local hits, misses = counts(class, hop, n)
      if hits + misses == 0 then
        break
      end
      list[#list + 1] = { hits, misses }
    end
    return list
  end

  return tally
end

return M
