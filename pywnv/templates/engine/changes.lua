--- What differs between two sightings of one packet, as a sum of the codes of `rewritten`.

local codes, link = ...

local floor, sub = math.floor, string.sub

-- `soft` of `key`: TTL * 2^32 + IP checksum * 2^16 + transport checksum.
local TTL, CHECKSUM = 4294967296, 65536
local REWRITTEN = codes.rewritten

local M = {}

--- What differs in the link headers.
-- @param kind, form, header    of the later frame: its link header as `link.network` takes it, what stands around
--   the packet (as `key.read` says), and the bytes before the network header
-- @param earlier_kind, earlier_form, earlier_header  the same of the earlier one
function M.link(kind, form, header, earlier_kind, earlier_form, earlier_header)
  if form ~= earlier_form or kind ~= "ethernet" or earlier_kind ~= "ethernet" then
    return REWRITTEN.link
  end
  if form == "wifi" then -- what counts there are the addresses: each frame has a sequence number of its own
    return sub(header, 5, 22) == sub(earlier_header, 5, 22) and 0 or REWRITTEN.mac
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

--- What differs in what hops change in the network and transport headers.
-- @param soft, earlier  as `key.read` gives them
function M.soft(soft, earlier)
  local what = 0
  if soft % 1 > 0 or earlier % 1 > 0 then -- a transport checksum was not captured
    soft, earlier = floor(soft / CHECKSUM) * CHECKSUM, floor(earlier / CHECKSUM) * CHECKSUM
  end
  if floor(soft / TTL) ~= floor(earlier / TTL) then
    what = REWRITTEN.ttl -- and with it the IP checksum
    soft, earlier = soft % CHECKSUM, earlier % CHECKSUM
  end
  if soft % TTL ~= earlier % TTL then
    what = what + REWRITTEN.checksum
  end
  return what
end

return M
