--- The values of rows and comments, as text that is put into a buffer.

local floor, format, gsub = math.floor, string.format, string.gsub

-- Texts come again and again: each is quoted once, with what stands before it, until they are too much.
local MOST_QUOTED = 1024 * 1024 -- bytes of one cell's
local LEAST_QUOTED = 100 -- what a text of no length takes

local M = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }

--- A text without control characters as JSON and comments have it.
function M.quote(text)
  return '"' .. gsub(text, '["\\]', ESCAPES) .. '"'
end

--- Makes a function that gives a text as it is written.
-- @param label what stands before it
-- @param quote how it is quoted
function M.quoted(label, quote)
  local known, size = {}, 0
  return function(text)
    local cell = known[text]
    if not cell then
      if size >= MOST_QUOTED then
        known, size = {}, 0
      end
      cell = label .. quote(text)
      known[text], size = cell, size + #text + LEAST_QUOTED
    end
    return cell
  end
end

-- Three digits at a time: "%09d" would take a third of what a row costs.
local DIGITS = {}
for value = 0, 999 do
  DIGITS[value] = format("%03d", value)
end

--- Puts the nine digits of nanoseconds, from 0 to a second.
function M.put_fraction(out, nanos)
  local micros = floor(nanos / 1000)
  local millis = floor(micros / 1000)
  out:put(DIGITS[millis], DIGITS[micros - millis * 1000], DIGITS[nanos - micros * 1000])
end

local put_fraction = M.put_fraction

--- Puts seconds, with nine decimals.
function M.put_duration(out, seconds)
  local nanos = floor(seconds * 1e9 + 0.5)
  if nanos >= 0 and nanos < 1e9 then
    out:put("0.")
    put_fraction(out, nanos)
  else
    out:put(format("%.9f", seconds))
  end
end

return M
