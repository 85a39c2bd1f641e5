--- The hops that a packet has passed, as a tree: packets that went the same way share a node.

local SEPARATOR = " > "
local MOST_HOPS = 64 -- of one packet; only a capture made to defeat us shows more
local MOST_NODES = 4096 -- then the tree starts anew, and the old one goes with its packets
local FORGETS = 0.999 -- a peak halves in 700 packets

local M = {}

local Path = {}
Path.__index = Path

function M.new()
  return setmetatable({ roots = {}, nodes = 0 }, Path)
end

-- A hop that records a packet several times stands in the path once.
local function text_of(parent, hop)
  if not parent then
    return hop.name
  elseif parent.hop == hop then
    return parent.text
  end
  return parent.text and hop.name and parent.text .. SEPARATOR .. hop.name
end

local function counts_of(parent, hop)
  local counts = {}
  if parent then
    for other, count in pairs(parent.counts) do
      counts[other] = count
    end
  end
  counts[hop] = (counts[hop] or 0) + 1
  return counts
end

--- The node behind `parent` (nil: the start) for a sighting at `hop`; nil where the path is too long.
-- A node has: hop, parent, depth (1 for the first sighting), counts (how many sightings, by hop), text (nil where a
-- hop has no name), and peak, the longest that packets took lately to get here from the parent, in seconds (nil: not
-- known yet).
function Path:step(parent, hop)
  local branches = parent and parent.next or self.roots
  local node = branches[hop]
  if node then
    return node
  end
  if parent and parent.depth >= MOST_HOPS then
    return nil
  end
  if self.nodes >= MOST_NODES then
    self.roots, self.nodes = {}, 0
    branches = parent and branches or self.roots
  end
  node = {
    hop = hop,
    parent = parent,
    depth = parent and parent.depth + 1 or 1,
    counts = counts_of(parent, hop),
    text = text_of(parent, hop),
    next = {},
  }
  branches[hop] = node
  self.nodes = self.nodes + 1
  return node
end

--- Learns from one packet how long the step to `node` takes, in seconds.
function M.learn(node, seconds)
  local peak = node.peak
  node.peak = peak and seconds < peak and peak * FORGETS or seconds
end

return M
