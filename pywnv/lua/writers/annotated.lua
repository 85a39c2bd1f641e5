--- A sink that writes the capture again, with a comment and a packet id on each frame of which something is said.
--
-- A packet block's options become: the comment, the packet id, and what was there before. An end of options is put in
-- where none was, or where nothing but one was, so that taking all this out again gives the block as it was.
-- A journal entry that tells of a vmSwitch event gets a field more, behind its own. Simple and obsolete packet blocks
-- hold neither comment nor id, and stay as they are.

local bytes, splice, annotation, comment = ...

local byte, find, sub = string.byte, string.find, string.sub

local END = "\0\0" -- as opt_endofopt begins
local OPT_END, OPT_COMMENT, OPT_PACKET_ID = 0, 1, 5

local JOURNAL = 9
local WORD = 4 -- bytes: with as many a body may be filled up, by etl2pcapng with any
local FIELD = annotation.JOURNAL .. "="

local read_own = annotation.reader()
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
local function strip(buf, from, stop, order)
  local has_own, has_id, owns_id = false, false, false
  local is_own = {} -- by where the option begins
  each(buf, from, stop, order, function(code, at, last)
    local own = code == OPT_COMMENT and read_own(sub(buf, at + 4, last))
    if own then
      has_own, owns_id, is_own[at] = true, owns_id or own.owns_id, true
    end
    has_id = has_id or code == OPT_PACKET_ID and last - at == 11
  end)
  if not has_own then
    return sub(buf, from, stop), false, has_id
  end
  local kept = {}
  local ends = each(buf, from, stop, order, function(code, at, last, following)
    if not is_own[at] and not (owns_id and code == OPT_PACKET_ID and last - at == 11) then
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

-- The fields of a journal entry, without what pywnv put there; the zeros behind them.
local function fields_of(body)
  local zero = find(body, "\0", 1, true) or #body + 1
  local fields, zeros = sub(body, 1, zero - 1), sub(body, zero)
  local _, behind = find(fields, ".*\n" .. FIELD)
  if behind then
    local text = sub(fields, behind + 1):gsub(" *\n?$", "", 1)
    if read_own(text) then
      fields = sub(fields, 1, behind - #FIELD - (byte(fields, -1) == 10 and 0 or 1))
    end
  end
  return fields, zeros
end

-- A journal entry that ends with a line break gets a line more, else a line break and a line without one; blanks fill
-- it up to whole words, so that the zeros behind it stay as they are.
local function annotate_journal(buf, at, order, said, number)
  local from, stop = splice.body_at(buf, at, order)
  local body = sub(buf, from, stop)
  local fields, zeros = fields_of(body)
  if said and (#zeros <= WORD or zeros == ("\0"):rep(#zeros)) then -- else there is a binary field
    local is_ended = byte(fields, -1) == 10
    local line = FIELD .. comment(said, number)
    fields = fields .. (is_ended and "" or "\n") .. line .. (" "):rep(-(#line + 1) % 4) .. (is_ended and "\n" or "")
  end
  body = body ~= fields .. zeros and fields .. zeros
  if body and not splice.with_body(buf, at, order, body) then
    unfit = unfit + 1
  end
end

--- Takes a frame; its text comes with that of the chunk.
function M.row(number, _, _, _, said, buf, block)
  local at, order = block < 0 and -block or block, block < 0 and -1 or 1
  local id = said and said.packet
  if splice.is_pcap() then
    splice.of_record(buf, at, order, splice.options(order, said and comment(said, number), id))
    return
  end
  local from, stop = splice.options_at(buf, at, order)
  if not from then
    if splice.kind(buf, at, order) == JOURNAL then
      annotate_journal(buf, at, order, said, number)
    else
      unfit = unfit + (said and 1 or 0)
    end
    return
  end
  local old, was_own, has_id = "", false, false
  if from <= stop then
    old, was_own, has_id = strip(buf, from, stop, order)
  end
  local text = said and comment(said, number, has_id)
  if has_id then
    id = nil
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
