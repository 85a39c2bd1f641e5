--- Watches one frame on its way through the engine, and keeps its first bytes. It changes nothing.

local modules, wanted = ...

local sub = string.sub

local LONGEST = 256 -- bytes: what reads a frame's headers asks for no more
local M = {}

local function look_of(running)
  local look = running.look
  return function(frame)
    if frame.number == wanted then
      M.kind, M.length = frame.hop.kind, frame.length
      M.bytes = sub(frame.buf, frame.at, frame.stop < frame.at + LONGEST and frame.stop or frame.at + LONGEST - 1)
    end
    return look(frame)
  end
end

--- What was kept of it: the kind of its link header, its first bytes, how long it was; nil if it is not a packet.
function M.seen()
  if M.bytes then
    return M.kind, M.bytes, M.length
  end
  return nil
end

M.engine = setmetatable({
  new = function(...)
    local running = modules.engine.new(...)
    return setmetatable({ look = look_of(running) }, { __index = running })
  end,
}, { __index = modules.engine })

return M
