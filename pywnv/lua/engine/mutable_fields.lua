--- What differs between two sightings of one packet, as a sum of the codes of `rewritten`.

local codes, link = ...

local floor, sub = math.floor, string.sub

-- `mutable` of `frame`: TTL * 2^32 + IP checksum * 2^16 + transport checksum.
local TTL, CHECKSUM = 4294967296, 65536
local REWRITTEN = codes.rewritten

local M = {}

--- What differs in the link headers.
-- @param kind, header    of the later frame: what stands before the packet, and its bytes, as `frame.read` gives them
-- @param earlier_kind, earlier_header  the same of the earlier one
function M.in_link(kind, header, earlier_kind, earlier_header)
  if kind ~= earlier_kind then
    return REWRITTEN.link
  elseif kind == "wifi" then -- what counts there are the addresses: each frame has a sequence number of its own
    return sub(header, 5, 22) == sub(earlier_header, 5, 22) and 0 or REWRITTEN.mac
  elseif kind ~= "ethernet" and kind ~= "tunnel" then
    return header == earlier_header and 0 or REWRITTEN.link
  end
  local what = 0
  if sub(header, 1, 12) ~= sub(earlier_header, 1, 12) then
    what = REWRITTEN.mac
  end
  local tags, earlier_tags = link.tags(header), link.tags(earlier_header)
  if tags ~= earlier_tags then
    what = what + REWRITTEN.vlan
  end
  if sub(header, 13 + #tags) ~= sub(earlier_header, 13 + #earlier_tags) then
    what = what + REWRITTEN.link
  end
  return what
end

--- The TTL or hop limit in `mutable` of a frame.
function M.ttl(mutable)
  return floor(mutable / TTL)
end

-- What differs in what hops change in the network and transport headers.
-- @param mutable, earlier  as `frame.read` gives them
local function in_packet(mutable, earlier)
  local what = 0
  if mutable % 1 > 0 or earlier % 1 > 0 then -- a transport checksum was not captured
    mutable, earlier = floor(mutable / CHECKSUM) * CHECKSUM, floor(earlier / CHECKSUM) * CHECKSUM
  end
  if M.ttl(mutable) ~= M.ttl(earlier) then
    what = REWRITTEN.ttl -- and with it the IP checksum
    mutable, earlier = mutable % CHECKSUM, earlier % CHECKSUM
  end
  if mutable % TTL ~= earlier % TTL then
    what = what + REWRITTEN.checksum
  end
  return what
end

--- What differs between a frame and the packet's sighting before.
function M.between(frame, packet)
  local what = 0
  if frame.header == "" and frame.link ~= "raw" or packet.header == "" and packet.link ~= "raw" then
    return what -- a log tells no bytes of it
  end
  if frame.mutable ~= packet.mutable and frame.mutable > 0 and packet.mutable > 0 then
    what = in_packet(frame.mutable, packet.mutable)
  end
  if frame.header ~= packet.header or frame.link ~= packet.link then
    what = what + M.in_link(frame.link, frame.header, packet.link, packet.header)
  end
  if frame.ident ~= packet.ident then
    what = what + REWRITTEN.id
  end
  if frame.written_ends ~= packet.written_ends then
    what = what + REWRITTEN.nat
  end
  return what
end

return M
