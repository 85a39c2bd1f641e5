--- Two sinks as one, in one pass: the text of the first, and behind it what the second tells at the end.

local first, second = ...

local take_first, take_second = first.row, second.row

local M = { finish = first.finish, total = second.total }

function M.row(...)
  take_first(...)
  take_second(...)
end

return M
