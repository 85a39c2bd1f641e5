--- A sink that writes the capture again, with a comment and a packet id on each frame that has marks.
--
-- A packet block's options become: the comment, the packet id, and the options that were there. The capture tool's
-- packet id gives way to ours, and stands in the comment. If the block had no end of options, or nothing else, one is
-- added, so that undoing all this gives the same block again. A journal entry about a vmSwitch event gets one more
-- field at its end. Simple and obsolete packet blocks cannot hold both comment and id, and are not changed.

local bytes, splice, annotation, strip, comment = ...

local byte, sub = string.byte, string.sub

local JOURNAL = 9
local WORD = 4 -- bytes: with as many a body may be filled up, by etl2pcapng with any
local FIELD = annotation.JOURNAL .. "="

local unfit = 0 -- frames that could not be given a comment
local M = { section = splice.section, finish = splice.finish, start = splice.start }

-- A journal entry that ends with a line break gets a line more, else a line break and a line without one; blanks fill
-- it up to whole words, so that the zeros behind it stay as they are.
local function annotate_journal(buf, at, order, said, number)
  local from, stop = splice.body_at(buf, at, order)
  local body = sub(buf, from, stop)
  local fields, zeros = strip.fields(body)
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
  local old, was_own, id_at = "", false, nil
  if from <= stop then
    old, was_own, id_at = strip.options(buf, from, stop, order)
  end
  local text = said and comment(said, number, id_at and bytes.hex(old, id_at, order))
  if id and id_at then
    old, id = strip.with_id(old, id_at, ("%016x"):format(id), order), nil
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
  return all > 0 and ("%d frames are in blocks that cannot hold a comment; they are not changed"):format(all) or nil
end

return M
