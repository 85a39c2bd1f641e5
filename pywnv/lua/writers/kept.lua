--- A sink that writes the capture again without the frames that `choose` has left out, and an engine that sees nothing.

local splice, stays = ...

local byte = string.byte

local frames = 0

local M = { section = splice.section, finish = splice.finish, start = splice.start }

--- Takes a frame; its text comes with that of the chunk.
function M.row(number, _, _, _, _, buf, block)
  frames = number
  local at, order = block < 0 and -block or block, block < 0 and -1 or 1
  if byte(stays, number) == 1 then
    if splice.is_pcap() then
      splice.of_record(buf, at, order, "")
    end
  else
    splice.without(buf, at, order)
  end
end

--- How many frames there were.
function M.frames()
  return frames
end

local NOTHING = {}
local running = { found = {} }

function running.place()
  return NOTHING
end

function running.wants()
  return NOTHING
end

function running.read() end

function running.look() end

function running.decide() end

function running.commit() end

function running.journal() end

--- The engine.
M.blind = {
  new = function()
    return running
  end,
}

return M
