--- Makes a buffer that collects text and whole numbers: LuaJIT's string buffer or, in other Luas, one like it.
--
-- `put` adds one or more pieces; `get` returns the whole text and empties the buffer.

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
