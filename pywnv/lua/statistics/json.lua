--- Tables of texts, numbers and truths as JSON.

local cells = ...

local concat, format = table.concat, string.format

local write

local function list(value)
  local parts = {}
  for at = 1, #value do
    parts[at] = write(value[at])
  end
  return "[" .. concat(parts, ",") .. "]"
end

local function object(value)
  local parts = {}
  for name, member in pairs(value) do
    parts[#parts + 1] = cells.quote(name) .. ":" .. write(member)
  end
  return "{" .. concat(parts, ",") .. "}"
end

--- A table with [1], or one that is marked as a list (is_list), is a list, another one an object.
function write(value)
  local kind = type(value)
  if kind == "table" then
    return (value[1] ~= nil or value.is_list) and list(value) or object(value)
  elseif kind == "string" then
    return cells.quote(value)
  elseif kind == "number" then
    return value % 1 == 0 and format("%.0f", value) or format("%.12g", value)
  end
  return tostring(value) -- true or false
end

return write
