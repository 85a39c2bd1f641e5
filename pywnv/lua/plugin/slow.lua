--- Which steps between two hops took far longer than the same step usually does.
--
-- For each step, its times are counted by powers of two, so that the median is known at any time.

local floor, log = math.floor, math.log

local LOG_2 = log(2)
local FAR = 16 -- times the step's median, at least
local LEAST = 100e-6 -- seconds: nobody looks for shorter steps
local KNOWN = 32 -- packets that must have taken a step before its median counts
local MOST = 4096 -- steps; only a capture made to defeat us has more

local function power(seconds)
  local nanos = seconds * 1e9
  return nanos < 1 and 0 or floor(log(nanos) / LOG_2)
end

local function insert(step, size)
  step[size] = (step[size] or 0) + 1
  step.total = step.total + 1
  if size < step.middle then
    step.below = step.below + 1
  end
  while step.below > step.total / 2 do
    step.middle = step.middle - 1
    step.below = step.below - (step[step.middle] or 0)
  end
  while step.below + (step[step.middle] or 0) < step.total / 2 do
    step.below = step.below + (step[step.middle] or 0)
    step.middle = step.middle + 1
  end
end

--- For one capture.
-- @param limit seconds above which every step is slow; nil: far above the median of the same step is slow
-- @return table: judge, keep, forget
return function(limit)
  local steps, count = {}, 0
  local last_step, last_size -- judged, and not kept yet

  local M = {}

  --- Whether a step is slow.
  -- @param from, to names of hops
  -- @param seconds that it took
  function M.judge(from, to, seconds)
    if limit then
      return seconds > limit
    end
    local behind = steps[from]
    if not behind then
      behind = {}
      steps[from] = behind
    end
    local step = behind[to]
    if not step then
      if count >= MOST then
        steps, count = {}, 0
        behind = {}
        steps[from] = behind
      end
      step = { total = 0, below = 0, middle = 0 }
      behind[to], count = step, count + 1
    end
    last_step, last_size = step, power(seconds)
    return step.total >= KNOWN and seconds >= LEAST and seconds > FAR * 2 ^ (step.middle + 1) / 1e9
  end

  --- Counts the step that `judge` was asked about last.
  function M.keep()
    if last_step then
      insert(last_step, last_size)
      last_step = nil
    end
  end

  --- Forgets that step: with a read filter, Wireshark dissects a frame once before the frame counts.
  function M.forget()
    last_step = nil
  end

  return M
end
