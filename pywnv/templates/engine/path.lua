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

local function text_of(parent, hop)
  if not parent then
    return hop.name
  end
  return parent.text and hop.name and parent.text .. SEPARATOR .. hop.name
end

--- The node behind `parent` (nil: the start) for a sighting at `hop`; nil where the path is too long.
-- A node has: hop, parent, depth (1 for the first sighting), text (nil where a hop has no name), and peak, the
-- longest that packets took lately to get here from the parent, in seconds (nil: not known yet).
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
    text = text_of(parent, hop),
    next = {},
  }
  branches[hop] = node
  self.nodes = self.nodes + 1
  return node
end

--- Whether the path to `node` passes `hop`.
function M.passes(node, hop)
  while node do
    if node.hop == hop then
      return true
    end
    node = node.parent
  end
  return false
end

--- Learns from one packet how long the step to `node` takes, in seconds.
function M.learn(node, seconds)
  local peak = node.peak
  node.peak = peak and seconds < peak and peak * FORGETS or seconds
end

return M
