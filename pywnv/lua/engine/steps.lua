--- How long packets take from one place to another: how many of the last ones took about as long.

local limits = ...

local floor, log = math.floor, math.log

local PER_DOUBLE = 2 / log(2) -- bins while a time doubles
local LEAST = 1e-9 -- seconds

local M = {}

--- Nothing is known yet.
function M.new()
  return { number = 0 }
end

local function bin_of(took)
  return floor(log(took + LEAST) * PER_DOUBLE)
end

--- Notes how long a packet took, in seconds.
function M.note(step, took)
  local bin = bin_of(took)
  step[bin], step.number = (step[bin] or 0) + 1, step.number + 1
  if step.number >= 2 * limits.taught then
    for name, count in pairs(step) do
      step[name] = count >= 1 and count / 2 or nil
    end
  end
end

--- How many of the last packets took about as long.
function M.count(step, took)
  local bin = bin_of(took)
  return (step[bin - 1] or 0) + (step[bin] or 0) + (step[bin + 1] or 0)
end

return M
