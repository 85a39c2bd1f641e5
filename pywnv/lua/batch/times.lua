--- Timestamps as whole seconds and nanoseconds, exactly: a double alone cannot hold them.
--
-- Source: draft-ietf-opsawg-pcapng (if_tsresol, if_tsoffset).

local floor = math.floor

local NANO = 1000000000

local M = { NANO = NANO }

-- high * 2^32 units as whole seconds and units: a long division by bytes, which a double holds exactly.
local function upper_half(interface, high)
  local units, seconds, rest = interface.units, 0, 0
  for place = 7, 0, -1 do
    local digit = place >= 4 and floor(high / 256 ^ (place - 4)) % 256 or 0
    rest = rest * 256 + digit
    local quotient = floor(rest / units)
    seconds, rest = seconds * 256 + quotient, rest - quotient * units
  end
  interface.high, interface.high_seconds, interface.high_units = high, seconds, rest
end

-- rest / units seconds as whole nanoseconds, digit by digit for the same reason.
local function nanoseconds(rest, units)
  local nanos = 0
  for _ = 1, 3 do
    rest = rest * 1000
    local quotient = floor(rest / units)
    nanos, rest = nanos * 1000 + quotient, rest - quotient * units
  end
  return nanos
end

--- The time of an interface's timestamp, in seconds and nanoseconds.
-- @param interface table: units, scale, offset as `batch.interface` has them; high: the upper half that was asked for
--   last, or -1; this keeps there what that is
-- @param high, low the halves of the timestamp
function M.of(interface, high, low)
  if interface.high ~= high then
    upper_half(interface, high)
  end
  local units = interface.units
  local rest = interface.high_units + low
  local more = floor(rest / units)
  rest = rest - more * units
  return interface.high_seconds + more + interface.offset,
    interface.scale and rest * interface.scale or nanoseconds(rest, units)
end

return M
