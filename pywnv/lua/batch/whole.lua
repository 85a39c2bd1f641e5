--- Makes a function that packs whole numbers into bytes: 64 bits each, signed, in the byte order of this machine.
--
-- LuaJIT writes them through its ffi; other Luas build them byte by byte, little-endian.

local bytes = ...

local is_there, ffi = pcall(require, "ffi")
if is_there then
  local room, size = nil, 0
  return function(values, count)
    if count > size then
      room, size = ffi.new("int64_t[?]", 2 * count), 2 * count
    end
    for at = 1, count do
      room[at - 1] = values[at]
    end
    return ffi.string(room, 8 * count)
  end
end

local floor, little32 = math.floor, bytes.put_little32

return function(values, count)
  local parts = {}
  for at = 1, count do
    local value = values[at]
    parts[at] = little32(value % 2 ^ 32) .. little32(floor(value / 2 ^ 32) % 2 ^ 32)
  end
  return table.concat(parts)
end
