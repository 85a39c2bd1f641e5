--- A sink that packs rows by column, so that neither Python nor Arrow has to read numbers from text.
--
-- A batch, which annotate/columns.py reads: how many rows it has (4 bytes, little-endian); a byte for each column: "0"
-- if all its cells are empty, "1" if some are, "2" if none is; "1" if words are counted anew, else "0"; of each
-- column that has some, its cells as `whole` gives them; of each column of words those that are new in this batch: how
-- many bytes (4), and the words, a zero behind each. A cell is EMPTY, or a number, a truth (0, 1), nanoseconds, or the
-- place of its word among all so far, from 0.

local columns, whole, ends_of, little32 = ...

local concat, floor = table.concat, math.floor

local EMPTY = -2 ^ 63
local MOST_WORDS, MOST_SHARED = 65536, 4096 -- that are known; only a capture made to defeat us has more
local HALF = 2 ^ 32

local lists = { own = {}, ends = {}, said = {}, facts = {} } -- columns by where their values stand
local by_name = {}
for at = 1, #columns do
  local column = columns[at]
  column.cells, column.filled = {}, 0
  column.known, column.size, column.new = {}, 0, {} -- words
  by_name[column.name] = column
  lists[column.of][#lists[column.of] + 1] = column
end

local count, high = 0, 0 -- rows of this batch, and of the longest so far
local last = nil -- the number of the last frame
local is_fresh, words = true, 0
local shared, shared_count = {}, 0 -- by a table that many frames share: its columns and their cells
local none = {}

local function put(column, cell)
  column.cells[count], column.filled = cell, column.filled + 1
end

local function word(column, value)
  local code = column.known[value]
  if not code then
    code = column.size
    column.known[value], column.size, words = code, code + 1, words + 1
    column.new[#column.new + 1] = (column.names and column.names[value] or value) .. "\0"
  end
  return code
end

local CELL = {
  number = function(_, value)
    return value
  end,
  bool = function(_, value)
    return value and 1 or 0
  end,
  seconds = function(_, value)
    return floor(value * 1e9 + 0.5)
  end,
  word = word,
}

local function put_all(list, from)
  for at = 1, #list do
    local column = list[at]
    local value = from[column.name]
    if value ~= nil then
      put(column, CELL[column.kind](column, value))
    end
  end
end

local function cells_of(list, from)
  local cells = {}
  for at = 1, #list do
    local column = list[at]
    local value = from[column.name]
    if value ~= nil then
      cells[#cells + 1] = { column = column, cell = CELL[column.kind](column, value) }
    end
  end
  if shared_count >= MOST_SHARED then
    shared, shared_count = {}, 0
  end
  shared[from], shared_count = cells, shared_count + 1
  return cells
end

-- The same for a table that many frames share.
local function put_shared(list, from)
  local cells = shared[from] or cells_of(list, from)
  for at = 1, #cells do
    put(cells[at].column, cells[at].cell)
  end
end

-- Counts words anew, where they are too many, or where who reads this may not have read what was before.
local function forget()
  for at = 1, #columns do
    columns[at].known, columns[at].size = {}, 0
  end
  shared, shared_count, words, is_fresh = {}, 0, 0, true
end

local function add_row(number)
  if count == 0 and (words > MOST_WORDS or number - 1 ~= last) then
    forget()
  end
  count, last = count + 1, number
  if count > high then
    for at = 1, #columns do
      columns[at].cells[count] = EMPTY
    end
    high = count
  end
end

local M = {}

--- Takes a frame; its row comes with the end of the chunk.
function M.row(number, seconds, nanos, interface, said, _, _, frame)
  add_row(number)
  said = said or none
  put(by_name.frame, number)
  if seconds then
    put(by_name.time_high, floor(seconds / HALF))
    put(by_name.time_low, seconds % HALF)
    put(by_name.time_nanos, seconds < 0 and -nanos or nanos)
  end
  if interface then
    put(by_name.interface, interface)
  end
  if frame then
    put(by_name.length, frame.length)
    put_shared(lists.ends, ends_of(frame) or none)
  end
  put_all(lists.said, said)
  if said.facts then
    put_shared(lists.facts, said.facts)
  else
    put_all(lists.facts, said)
  end
end

--- The rows of a chunk.
function M.finish()
  if count == 0 then
    return ""
  end
  local fills, parts = {}, {}
  for at = 1, #columns do
    local column = columns[at]
    fills[at] = column.filled == 0 and "0" or column.filled == count and "2" or "1"
    if column.filled > 0 then
      local cells = column.cells
      parts[#parts + 1] = whole(cells, count)
      for row = 1, count do
        cells[row] = EMPTY
      end
      column.filled = 0
    end
  end
  for at = 1, #columns do
    local column = columns[at]
    if column.kind == "word" then
      local text = concat(column.new)
      parts[#parts + 1] = little32(#text) .. text
      column.new = {}
    end
  end
  local batch = little32(count) .. concat(fills) .. (is_fresh and "1" or "0") .. concat(parts)
  count, is_fresh = 0, false
  return batch
end

return M
