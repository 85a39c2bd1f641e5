--- Makes a buffer that text and whole numbers are put into, piece by piece: LuaJIT's own or, elsewhere, the like of it.
--
-- It has `put`, which takes one piece or more, and `get`, which gives all of it and empties the buffer.

local is_there, own = pcall(require, "string.buffer")
if is_there then
  return own.new
end

local format = string.format

local Buffer = {}
Buffer.__index = Buffer

function Buffer:put(...)
  local pieces = { ... }
  for at = 1, #pieces do
    local piece = pieces[at]
    self[#self + 1] = type(piece) == "number" and format("%d", piece) or piece
  end
end

function Buffer:get()
  local text = table.concat(self)
  for at = #self, 1, -1 do
    self[at] = nil
  end
  return text
end

return function()
  return setmetatable({}, Buffer)
end
