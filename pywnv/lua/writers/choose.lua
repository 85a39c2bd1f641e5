--- A sink that chooses which frame of each packet is kept. It writes one byte for each frame: 1 if kept, 0 if not.
--
-- A packet's frames come within REACH frames of its first one, so a choice is made, and written, when the frame that
-- many later comes. A packet that was cut into segments stays as a whole or as all its segments, each by one frame. A
-- frame built from several packets never stays: those do.

local codes, keep, new_buffer = ...

local REACH = 2 ^ 20 -- the engine joins nothing over more
local RANK = 2 ^ 44 -- more than any frame's number
local SEGMENT, COALESCED = codes.verdict.segment, codes.verdict.coalesced
local OUTBOUND = codes.direction.outbound
local GONE, STAYS = "\0", "\1"

-- How near the wire a place is: what is not known is nearer than what is inside for sure.
local NEARNESS =
  { pNIC = 1, tNIC = 2, vSwitch = 3, unknown = 4, filter = 4, ["host vNIC"] = 5, vmNIC = 6, protocol = 7 }
local nearness = {}
for word, number in pairs(codes.role) do
  nearness[number] = NEARNESS[word]
end
local UNKNOWN = NEARNESS.unknown
local role = codes.role[keep]

local out = new_buffer()
local M = {}

-- Of the last REACH frames, frame `n` in place n % REACH. A packet as a whole goes by its first frame, a segment by the
-- segment's first frame. `best` is the frame chosen for it; the lower its score, the better.
local best, scores, segments = {}, {}, {} -- segments: of a packet, a list
local units, verdicts, stays = {}, {}, {} -- units: what a frame shows: a packet or a segment
local newest = 0
local left = {} -- how many frames go, by verdict
local has_copies = false
local is_told = keep ~= "wire" and not role -- whether a hop's role tells which frame to choose

-- Of a sighting: the lower, the better.
local function score_of(number, said)
  if keep == "last" then
    return -number
  elseif keep == "wire" then
    local rank = said.hop and nearness[said.hop_role] or UNKNOWN
    is_told = is_told or rank ~= UNKNOWN or said.direction ~= nil
    return rank * RANK + (said.direction == OUTBOUND and -number or number)
  end
  local has_role = role ~= nil and said.hop ~= nil and said.hop_role == role
  is_told = is_told or has_role
  return (has_role and 0 or RANK) + number
end

local function unit_of(number, said)
  local packet = said.packet
  if said.verdict == SEGMENT then
    local list = segments[packet % REACH]
    if not list then
      list = {}
      segments[packet % REACH] = list
    end
    list[#list + 1] = number
    return number
  end
  return said.previous and number - said.previous < REACH and units[said.previous % REACH] or packet
end

local function see(number, said)
  local at = number % REACH
  units[at], verdicts[at], stays[at], scores[at], segments[at] = nil, said and said.verdict, false, nil, nil
  if not said or not said.packet then
    stays[at] = true
  elseif number - said.packet < REACH then -- else the choice is made already
    has_copies = has_copies or said.packet ~= number
    local unit = unit_of(number, said)
    units[at] = unit
    if said.verdict ~= COALESCED then
      local score = score_of(number, said)
      local known = scores[unit % REACH]
      if not known or score < known then
        best[unit % REACH], scores[unit % REACH] = number, score
      end
    end
  end
end

-- Chooses the frames of a packet.
local function choose(first)
  local list = segments[first % REACH]
  local is_whole = true
  for at = 1, list and #list or 0 do
    is_whole = is_whole and scores[first % REACH] < scores[list[at] % REACH]
  end
  if is_whole then
    stays[best[first % REACH] % REACH] = true
    return
  end
  for at = 1, #list do
    stays[best[list[at] % REACH] % REACH] = true
  end
end

local function settle(number)
  local at = number % REACH
  if units[at] == number and verdicts[at] ~= SEGMENT then
    choose(number)
  end
  if stays[at] then
    return STAYS
  end
  local verdict = verdicts[at]
  left[verdict] = (left[verdict] or 0) + 1
  return GONE
end

--- Takes a frame.
function M.row(number, _, _, _, said)
  if number > REACH then
    out:put(settle(number - REACH))
  end
  see(number, said)
  newest = number
end

--- The bytes of the frames whose choice is made by now.
function M.finish()
  return out:get()
end

--- The bytes of the frames whose choice was not made yet.
function M.total()
  for number = math.max(newest - REACH + 1, 1), newest do
    out:put(settle(number))
  end
  return out:get()
end

--- How many frames go, by the code of their verdict.
function M.left()
  return left
end

--- What the user should know at the end, or nil.
function M.warning()
  if is_told or not has_copies then
    return nil
  end
  local problem = "no hop's role is known, so pywnv cannot tell which is nearest the wire"
  if role then
    problem = "no hop has the role " .. keep
  end
  return problem .. ": the first sighting of each packet is kept (--host gives roles)"
end

return M
