--- A sink that writes the capture again, with a comment and a packet id on each frame of which something is said.
--
-- A packet block's options become: the comment, the packet id, and what was there before. An end of options is put in
-- where none was, or where nothing but one was, so that taking all this out again gives the block as it was.
-- Simple and obsolete packet blocks hold neither comment nor id, and stay as they are.

local bytes, splice, note, comment = ...

local sub = string.sub

local END = "\0\0" -- as opt_endofopt begins
local OPT_END, OPT_COMMENT, OPT_PACKET_ID = 0, 1, 5

local unfit = 0 -- frames that could not be given a comment
local M = { section = splice.section, finish = splice.finish, start = splice.start }

-- The options from `at` to `stop`, by `visit(code, at, last byte of the value, next option)`.
-- @return where they end
local function each(buf, at, stop, order, visit)
  local read16 = order > 0 and bytes.little16 or bytes.big16
  while at + 3 <= stop do
    local code, size = read16(buf, at), read16(buf, at + 2)
    local last = at + 3 + size
    if code == OPT_END or last > stop then
      break
    end
    local following = last + 1 + -size % 4
    visit(code, at, last, following)
    at = following
  end
  return at
end

-- What a frame's options hold besides what pywnv put there; whether that was anything; whether a packet id is left.
-- @param owns_id whether a packet id is pywnv's in any case
local function strip(buf, from, stop, order, owns_id)
  local has_own, has_id = false, false
  each(buf, from, stop, order, function(code, at, last)
    if code == OPT_COMMENT then
      local is_own, is_own_id = note.is_own(sub(buf, at + 4, last))
      has_own, owns_id = has_own or is_own, owns_id or is_own_id
    end
    has_id = has_id or code == OPT_PACKET_ID and last - at == 11
  end)
  if not has_own and not (has_id and owns_id) then
    return sub(buf, from, stop), false, has_id
  end
  local kept = {}
  local ends = each(buf, from, stop, order, function(code, at, last, following)
    local is_own = code == OPT_COMMENT and note.is_own(sub(buf, at + 4, last))
    if not is_own and not (owns_id and code == OPT_PACKET_ID and last - at == 11) then
      kept[#kept + 1] = sub(buf, at, following - 1)
    end
  end)
  kept[#kept + 1] = sub(buf, ends, stop)
  local rest = table.concat(kept)
  if sub(rest, 1, 2) == END then
    rest = sub(rest, 5)
  end
  return rest, true, has_id and not owns_id
end

--- Takes a frame; its text comes with that of the chunk.
function M.row(_, _, _, _, said, buf, block)
  local at, order = block < 0 and -block or block, block < 0 and -1 or 1
  local text = said and comment(said)
  local id = said and said.packet
  if splice.is_pcap() then
    splice.of_record(buf, at, order, splice.options(order, text, id))
    return
  end
  local from, stop = splice.options_at(buf, at, order)
  if not from then
    unfit = unfit + (text and 1 or 0)
    return
  end
  local old, was_own, has_id = "", false, false
  if from <= stop then
    old, was_own, has_id = strip(buf, from, stop, order, said and not said.hop)
  end
  if has_id then
    text, id = text and text .. note.KEPT, nil
  end
  local added = splice.options(order, text, id)
  local is_changed = added ~= "" or was_own
  if is_changed and not splice.with_options(buf, at, order, from, stop, added, old) then
    unfit = unfit + 1
  end
end

--- How many frames could not be given a comment.
function M.unfit()
  return unfit
end

--- What the user should know at the end, or nil.
-- @param elsewhere frames in such blocks that other processes have met
function M.warning(elsewhere)
  local all = unfit + elsewhere
  return all > 0 and ("%d frames are in blocks that hold no comment; they stay as they are"):format(all) or nil
end

return M
