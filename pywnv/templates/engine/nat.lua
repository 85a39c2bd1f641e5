--- Finds a packet again behind a network address translation, by what that leaves alone.
--
-- The last resort: IP ID, TCP sequence numbers (of UDP and ICMP, the first bytes) and all content are equal, and so is
-- one of the two ends. Source: RFC 3022.

local proof = ...

local abs, byte, sub = math.abs, string.byte, string.sub

local ICMP, TCP, UDP = 1, 6, 17
local MOMENT = 500e-6 -- seconds that a translation takes at most
local TTL = 4294967296 -- of `soft` of `key`
local NO_IDENT, SPREAD = 2 ^ 50, 65521 -- above all marks with an IP ID; a prime
local LEAST_CONTENT = 4 -- bytes that say something

-- Where a link header says who sent; Linux's say in or out, too, and SLL2 at which interface.
local SENDER = { ethernet = { 7, 12 }, sll = { 1, 14 }, sll2 = { 5, 20 } }

local M = {}

local function number(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return d and ((a * 256 + b) * 256 + c) * 256 + d
end

--- A number that translation leaves alone, and the IP ID with it; nil where there is none. TCP needs no IP ID: its two
-- numbers, and the size, tell as much.
function M.mark(key, content, transport)
  local ident = proof.ident(key)
  if not transport then
    return nil
  end
  local protocol, text, at = byte(key, 2), content, 1
  if protocol == TCP and not ident then
    local ack = byte(key, 1) == 4 and number(key, transport + 8)
    return ack and NO_IDENT + number(key, transport + 4) * SPREAD + ack + proof.network_size(key)
  elseif not ident then
    return nil
  elseif protocol == TCP then
    text, at = key, transport + 4 -- sequence number
  elseif protocol == ICMP then
    at = 3 -- behind the identifier, which a translation changes too
  elseif protocol ~= UDP then
    return nil
  end
  local rest = number(text, at)
  return rest and ident * 4294967296 + rest
end

-- Whether two keys are those of one packet before and after: one end is the same, the other is not.
local function is_translated(key, earlier, transport)
  if #key ~= #earlier or sub(key, 1, 9) ~= sub(earlier, 1, 9) then
    return false
  end
  local protocol = byte(key, 2)
  if protocol == ICMP then
    local same_source, same_target = sub(key, 10, 13) == sub(earlier, 10, 13), sub(key, 14, 17) == sub(earlier, 14, 17)
    return same_source ~= same_target and sub(key, transport, transport + 1) == sub(earlier, transport, transport + 1)
  end
  local function ends(text)
    return sub(text, 10, 13) .. sub(text, transport, transport + 1),
      sub(text, 14, 17) .. sub(text, transport + 2, transport + 3)
  end
  local source, target = ends(key)
  local earlier_source, earlier_target = ends(earlier)
  return (source == earlier_source) ~= (target == earlier_target)
    and sub(key, transport + 4) == sub(earlier, transport + 4)
end

-- Whether what shows both at one interface is a translation: what translates sends with its own address. A server that
-- says the same to several clients does not change.
local function is_from_elsewhere(kind, header, earlier)
  local part = SENDER[kind]
  return part ~= nil and sub(header, part[1], part[2]) ~= sub(earlier, part[1], part[2])
end

--- @param slots   of packets: see `memory`
-- @param slot_of function: the slot of a packet that is still remembered, or nil
-- @return table: note, find, forget
function M.new(slots, slot_of)
  local keys, contents, nodes, last_time = slots.keys, slots.contents, slots.nodes, slots.last_time
  local headers, forms, softs = slots.headers, slots.forms, slots.softs
  local young, old = {}, {}
  local nat = {}

  --- Remembers a new packet.
  -- @param mark as `M.mark` gives it
  function nat.note(id, mark)
    local slot, earlier = slot_of(id), slot_of(young[mark] or 0)
    local is_again = earlier and keys[earlier] == keys[slot] and last_time[slot] - last_time[earlier] <= MOMENT
    young[mark] = is_again and 0 or id -- of two that are equal, none could be told
  end

  --- The slot of the packet that a frame shows translated; nil where there is none.
  -- @param frame as `packets` takes it
  function nat.find(mark, frame)
    local key, content, soft, form = frame.key, frame.content, frame.soft, frame.form
    local slot = slot_of(young[mark] or old[mark] or 0)
    if not slot or #content < LEAST_CONTENT and byte(key, 2) ~= TCP or forms[slot] ~= form then
      return nil
    end
    local gap = frame.time - last_time[slot]
    local ttl, earlier_ttl = soft - soft % TTL, softs[slot] - softs[slot] % TTL
    if abs(gap) > MOMENT or ttl ~= earlier_ttl and (ttl > earlier_ttl) == (gap >= 0) then
      return nil
    end
    local is_icmp = byte(key, 2) == ICMP
    if (is_icmp and sub(contents[slot], 3) or contents[slot]) ~= (is_icmp and sub(content, 3) or content) then
      return nil
    end
    if not is_translated(key, keys[slot], frame.transport) then
      return nil
    end
    local hop, node = frame.hop, nodes[slot]
    if node.counts[hop] then
      local is_as_far = mark >= NO_IDENT and ttl == earlier_ttl
      if gap < 0 or is_as_far or not is_from_elsewhere(hop.kind, frame.header, headers[slot]) then
        return nil
      end
    end
    return slot
  end

  --- Starts a generation; forgets the one before the last.
  function nat.forget()
    old, young = young, {}
  end

  return nat
end

return M
