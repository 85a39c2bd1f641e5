--- Network address translation: which ends stand for which, learned from packets that prove it.
--
-- Once an end outside is known to stand for one inside, frames are read with that: then all other rules hold for them,
-- too. Sources: RFC 3022; RFC 5508 4.2 (what an ICMP error quotes).

local frame_of, identity, order, tcp, limits = ...

local abs, byte, max, sub = math.abs, string.byte, math.max, string.sub
local layout = frame_of.layout

local ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
-- What tells that a packet did not arrive, and quotes it behind four more bytes: types of RFC 792 and RFC 4443.
local ERRORS = {
  [ICMP] = { [3] = true, [11] = true, [12] = true },
  [ICMPV6] = { true, true, true, true },
}
local QUOTED = 5
local LEAST_CONTENT = 4 -- bytes that say something
local NO_INDEX = 0.5 -- whole numbers may become indices of an array, for which a tracing compiler makes no code
local MOST_CHAIN = 4 -- of translations behind one another

local M = {}

-- A number that translation leaves alone; nil if there is none.
local function mark_of(what)
  local protocol, text, at = what.protocol, what.content, 1
  if not what.has_transport then
    return nil
  elseif protocol == TCP then
    text, at = what.key, layout(what.key).rest
  elseif protocol ~= UDP and protocol ~= ICMP and protocol ~= ICMPV6 then
    return nil
  end
  local a, b, c, d = byte(text, at, at + 3)
  return d and what.ident * 4294967296 + ((a * 256 + b) * 256 + c) * 256 + d + NO_INDEX
end

-- The two ends in a key: with the protocol, address and port.
local function ends_of(key)
  local at = layout(key)
  local protocol = sub(key, at.protocol, at.protocol)
  return protocol .. sub(key, at.source, at.target - 1) .. sub(key, at.ports, at.ports + 1),
    protocol .. sub(key, at.target, at.ports - 1) .. sub(key, at.ports + 2, at.ports + 3)
end

-- A key with other ends.
local function with_ends(key, source, target)
  local at = layout(key)
  return sub(key, 1, at.source - 1) .. sub(source, 2, -3) .. sub(target, 2, -3) .. sub(source, -2) .. sub(target, -2) ..
    sub(key, at.rest)
end

-- An end at another address.
local function at_address_of(name, other)
  return sub(name, 1, 1) .. sub(other, 2, -3) .. sub(name, -2)
end

-- Whether two ends have the same address.
local function is_at_address_of(name, other)
  return sub(name, 2, -3) == sub(other, 2, -3)
end

-- Whether two keys differ in nothing but their ends.
local function same_but_ends(key, other)
  local at = layout(key)
  return #key == #other
    and sub(key, 1, at.source - 1) == sub(other, 1, at.source - 1)
    and sub(key, at.rest) == sub(other, at.rest)
end

-- Whether what shows both at one interface is a translation: what translates sends with its own address.
local function has_other_sender(frame, packet)
  if frame.link == "tunnel" then
    local at = frame.l2 and frame.l2 - frame.at + 1
    local stop = #frame.header - #packet.header -- both end alike
    return at ~= nil and sub(frame.header, at + 6, at + 11) ~= sub(packet.header, at + 6 - stop, at + 11 - stop)
  elseif frame.link == "ethernet" then
    return sub(frame.header, 7, 12) ~= sub(packet.header, 7, 12)
  end
  return frame.header ~= packet.header
end

-- Whether all packets of a flow have had one IP ID so far.
local function is_constant(flow)
  return flow.number > 1 and not flow.is_changing
end

--- The bindings of one capture.
-- @param store the packets
-- @return table: translate, find, note, commit
function M.new(store)
  local bindings, bound = {}, 0 -- end -> the end that it stands for
  local young, old, count = {}, {}, 0 -- by mark, the last packet
  local votes, vote_count = {}, 0
  local outside = {} -- by the end that it stands for, and by hop, the end that was seen there
  local longest = 0 -- that a translation took, in seconds
  local nat = {}
  local quoted = { kind = "raw" } -- a frame

  local function canonical(name)
    for _ = 1, MOST_CHAIN do
      local other = bindings[name]
      if not other then
        break
      end
      name = other
    end
    return name
  end

  -- Reads what an ICMP error quotes without what a NAT changes, as its content. In a file out of order, its ends may be
  -- known only when the other side comes.
  -- @return the ends of the error
  local function translate_quoted(frame, source, target)
    local content = frame.content
    quoted.buf, quoted.at, quoted.stop, quoted.length = content, QUOTED, #content, #content - QUOTED + 1
    frame_of.read(quoted, 0)
    if not quoted.has_transport or quoted.link ~= "raw" then
      return source, target
    end
    local from, to = ends_of(quoted.key)
    local new_from, new_to = canonical(from), canonical(to)
    content = sub(content, 1, QUOTED - 1) .. with_ends(quoted.key, new_from, new_to) .. quoted.content
    frame.key = sub(frame.key, 1, layout(frame.key).rest + 1) .. sub(content, 1, frame.span)
    frame.content = content
    if is_at_address_of(target, from) then
      target = at_address_of(target, new_from)
    end
    if is_at_address_of(source, to) then
      source = at_address_of(source, new_to)
    end
    return source, target
  end

  --- Puts the ends that a frame's stand for into its key; `written` and `written_ends` hold what stood there, where
  -- that changes.
  function nat.translate(frame)
    frame.written, frame.written_ends = nil, nil
    local version = byte(frame.key, 1)
    if bound == 0 or version ~= 4 and version ~= 6 then
      return
    end
    local key, errors = frame.key, ERRORS[frame.protocol]
    local source, target = ends_of(key)
    local new_source, new_target
    if errors and frame.has_transport and errors[byte(key, layout(key).rest)] then
      new_source, new_target = translate_quoted(frame, source, target)
    else
      new_source, new_target = canonical(source), canonical(target)
    end
    if new_source ~= source or new_target ~= target then
      frame.written, frame.written_ends = key, source .. target
      frame.key = with_ends(frame.key, new_source, new_target)
    end
  end

  -- Whether a frame can show a packet translated: other ends, all else equal, and further on its way.
  local function is_translation(frame, packet)
    local ttl, packet_ttl = frame.ttl, packet.ttl
    if
      packet.protocol ~= frame.protocol
      or packet.content ~= frame.content
      or packet.link ~= frame.link and (packet.link == "tunnel" or frame.link == "tunnel")
      or abs(frame.time - packet.last_time) > limits.window
      or #frame.content < LEAST_CONTENT and frame.protocol ~= TCP
    then
      return false
    elseif (ttl - packet_ttl) * (frame.time - packet.last_time) > 0 then
      return false -- it comes from further back
    elseif abs(ttl - packet_ttl) > limits.hops_behind_nat then
      return false -- two senders, whose TTLs begin at other values
    elseif ttl == packet_ttl and (frame.ident == 0 or packet.node.counts[frame.hop]) then
      return false
    elseif packet.node.counts[frame.hop] and not has_other_sender(frame, packet) then
      return false
    end
    return same_but_ends(frame.written or frame.key, packet.key)
  end

  --- The packet that a frame shows translated, where that is proved or bound by it; nil else.
  -- @param binding a table that gets from, to, step (seconds), is_vote: what `commit` takes
  -- @param flow_of function: the flow of a frame
  function nat.find(frame, binding, flow_of)
    binding.from = nil
    local mark = mark_of(frame)
    local packet = mark and store.get(young[mark] or old[mark] or 0)
    if not packet or not is_translation(frame, packet) then
      return nil
    end
    local source, target = ends_of(frame.written or frame.key)
    local known_source, known_target = ends_of(packet.key)
    local has_same_source, has_same_target = canonical(source) == known_source, canonical(target) == known_target
    if has_same_source == has_same_target then
      return nil
    elseif has_same_source then
      binding.from, binding.to = target, known_target
    else
      binding.from, binding.to = source, known_source
    end
    if frame.protocol == ICMP and sub(binding.from, 2, -3) == sub(binding.to, 2, -3) then
      binding.from = nil
      return nil -- two pings: a NAT changes the identifier together with the address (RFC 3022 2.2)
    end
    binding.step, binding.is_vote, binding.ends = abs(frame.time - packet.last_time), false, source .. target
    binding.hop = frame.hop
    -- Two senders may give one IP ID to what is equal, if they give it to all. A NAT that leaves the TTL is no router.
    local is_perhaps_constant = packet.ident > 0
      and packet.ttl == frame.ttl
      and (
        binding.step > limits.weak_step
        or is_constant(packet.flow)
        or order.begins_at(flow_of(frame).sender, frame.hop)
      )
    local is_proof = identity.of_pair(packet, frame) >= identity.STRONG and not is_perhaps_constant
    if frame.protocol == TCP and not tcp.is_reset(frame) or is_proof then
      return packet
    end
    binding.is_vote = true
    local other = outside[binding.to] and outside[binding.to][frame.hop]
    if longest == 0 or binding.step > 2 * longest or packet.is_crowded or other and other ~= binding.from then
      binding.from = nil
      return nil
    end
    local known = votes[binding.from]
    return known and (known[binding.to] or 0) + 1 >= limits.nat_votes and packet or nil
  end

  --- Notes a binding that `find` has found.
  function nat.commit(binding, packet)
    if binding.is_vote then
      local known = votes[binding.from]
      if not known then
        if vote_count >= limits.flows then
          votes, vote_count = {}, 0
        end
        known, vote_count = {}, vote_count + 1
        votes[binding.from] = known
      end
      known[binding.to] = (known[binding.to] or 0) + 1
      if not packet then
        return
      end
    else
      longest = max(longest, binding.step)
    end
    local from, to = binding.from, canonical(binding.to)
    if canonical(to) ~= from then
      if bound >= limits.flows then
        bindings, outside, bound = {}, {}, 0
      end
      bindings[from], bound = to, bound + 1
      outside[to] = outside[to] or {}
      outside[to][binding.hop] = from
    end
  end

  --- Remembers a new packet.
  function nat.note(packet)
    local mark = mark_of(packet)
    if not mark then
      return
    elseif count >= limits.packets then
      old, young, count = young, {}, 0
    end
    local before = packet.ident == 0 and store.get(young[mark] or old[mark] or 0)
    if before and before.key == packet.key and packet.first_time - before.last_time < limits.window then
      return -- of equal packets, the first is translated first
    end
    packet.is_crowded = before
      and before.flow ~= packet.flow
      and abs(packet.first_time - before.last_time) <= 2 * longest
      or false
    young[mark], count = packet.id, count + 1
  end

  return nat
end

return M
