--- Reads the values in the comment of a frame, by their kind: each a function of the text and where the value begins;
-- returns the value and where what follows begins; nil if it is not in form.

local text = ...

local byte, find, gsub, match, sub = string.byte, string.find, string.gsub, string.match, string.sub
local clean = text.clean

local readers = {}

function readers.text(rest, at)
  local stop = find(rest, '["\\]', at + 1)
  if byte(rest, at) ~= 34 then
    return nil
  end
  while stop and byte(rest, stop) == 92 do
    if not find(rest, '^["\\]', stop + 1) then
      return nil
    end
    stop = find(rest, '["\\]', stop + 2)
  end
  local value = stop and gsub(sub(rest, at + 1, stop - 1), "\\(.)", "%1")
  if value and value ~= "" and clean(value, #value) == value then
    return value, stop + 1
  end
  return nil
end

function readers.count(rest, at)
  local digits = match(rest, "^%d+", at)
  local value = text.number(digits)
  return value, value and at + #digits
end

function readers.bool(rest, at)
  local word = match(rest, "^%l+", at)
  if word ~= "true" and word ~= "false" then
    return nil
  end
  return word == "true", at + #word
end

function readers.name(rest, at, column)
  local word = match(rest, "^[%a-]+", at)
  if word then
    return column.names[word], at + #word
  end
  local value, following = readers.text(rest, at)
  return column.names[value or false], following
end

return readers
