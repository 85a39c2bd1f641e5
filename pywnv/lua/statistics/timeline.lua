--- Numbers over time, or over frames, in a bounded number of bins: when there is no room for more, two become one.

local limits = ...

local floor, max = math.floor, math.max

local MOST_BINS = limits.bins

local M = {}

local function sum(one, other)
  return one + other
end

--- The numbers of a table as a list of pairs: key, number.
function M.pairs(of)
  local list = { is_list = true }
  for key, number in pairs(of) do
    list[#list + 1] = { key, number }
  end
  return list
end

--- Adds a number in a bin of a series; none without a bin.
function M.add(series, bin, number)
  if bin then
    series[bin] = (series[bin] or 0) + number
  end
end

--- A scale that all series on it share.
-- @param width of a bin at first
-- @return table: bin, series, longest; width
function M.new(width)
  local scale = { width = width, last = 0 }
  local all = {}

  local function widen()
    scale.width, scale.last = scale.width * 2, floor(scale.last / 2)
    for at = 1, #all do
      local series = all[at]
      local join = series.join
      for bin = 0, MOST_BINS / 2 - 1 do
        local left, right = series[2 * bin], series[2 * bin + 1]
        if left and right then
          series[bin] = join(left, right)
        else
          series[bin] = left or right
        end
      end
      for bin = MOST_BINS / 2, MOST_BINS - 1 do
        series[bin] = nil
      end
    end
  end

  --- The bin of a moment from 0 on; what comes before is in the first.
  function scale.bin(at)
    local bin = floor(at / scale.width)
    while bin >= MOST_BINS do
      widen()
      bin = floor(at / scale.width)
    end
    if bin < 0 then
      return 0
    elseif bin > scale.last then
      scale.last = bin
    end
    return bin
  end

  --- A series: its bins, from 0, are counted up by who has it.
  function scale.series()
    local series = { join = sum }
    all[#all + 1] = series
    return series
  end

  --- One of which two bins become one by the larger number.
  function scale.longest()
    local series = { join = max }
    all[#all + 1] = series
    return series
  end

  --- All bins of a series, as a list.
  function scale.list(series)
    local list = {}
    for bin = 0, scale.last do
      list[bin + 1] = series[bin] or 0
    end
    return list
  end

  return scale
end

return M
