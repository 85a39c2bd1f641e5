--- The hops that a packet has passed, as a tree: packets that went the same way share a node.

local codes, steps, limits = ...

local max, sub = math.max, string.sub

local SEPARATOR = " > "
local role = codes.role
local IS_INNER = { [role.vmNIC] = true, [role["host vNIC"]] = true }
local IS_OUTER = { [role.pNIC] = true, [role.tNIC] = true }
local MOST_NODES = 4096 -- then the tree starts anew, and the old one goes with its packets
local NODE_BYTES, COUNT_BYTES = 300, 40 -- what a node holds, and its counts for each hop behind it, about
local MOST_TEXT = 4 * 1024 * 1024 -- bytes of texts, and of the nodes they are of, kept at a time

local M = {}

-- node -> its text, false if it has none: made when it is asked for, as each of many nodes may have kilobytes.
local texts, text_bytes = {}, 0

local Path = {}
Path.__index = Path

--- The paths of one capture.
-- @return table: step; made: about how many bytes the nodes take that were made since the caller has set it to 0
function M.new()
  texts, text_bytes = {}, 0
  return setmetatable({ roots = {}, group_roots = {}, nodes = 0, made = 0 }, Path)
end

local function size_of(node)
  return NODE_BYTES + COUNT_BYTES * node.depth
end

-- A hop's name behind that of the hop before: its observer is named where it is another one.
local function name_behind(hop, before)
  local observer = hop.observer
  if observer and before and before.observer == observer then
    return sub(hop.name, #observer + 3)
  end
  return hop.name
end

-- The names of hops, in order.
local function in_line(hops, first, last)
  local names = {}
  for at = first, last do
    names[at] = name_behind(hops[at], hops[at - 1])
  end
  return table.concat(names, SEPARATOR, first, last)
end

-- Whether the switch sends a packet on from `hop` to `following`, and not that hop itself: so a new branch begins.
local function parts(hop, following)
  local goes_on = IS_OUTER[hop.role] and IS_OUTER[following.role] and hop.role ~= following.role
  return hop.role ~= role.unknown and (IS_INNER[following.role] or IS_OUTER[following.role]) and not goes_on
end

-- The path of a packet to a group: from where it comes, then in braces where the switch floods it to. What comes from
-- the wire goes to no wire: a file that says so is not in order, and tells no branches. Nor do those of several
-- observers, whose switches are many.
local function in_branches(hops, first, last)
  local branches, start, trunk = {}, nil, nil
  local is_from_wire = IS_OUTER[hops[first].role]
  for at = first + 1, last do
    if hops[at].observer ~= hops[first].observer then
      return in_line(hops, first, last)
    elseif parts(hops[at - 1], hops[at]) then
      if is_from_wire and IS_OUTER[hops[at].role] then
        return in_line(hops, first, last)
      end
      if start then
        branches[#branches + 1] = in_line(hops, start, at - 1)
      end
      trunk, start = trunk or at - 1, at
    end
  end
  if not branches[1] or not (is_from_wire or IS_INNER[hops[first].role]) then
    return in_line(hops, first, last)
  end
  branches[#branches + 1] = in_line(hops, start, last)
  return in_line(hops, first, trunk) .. SEPARATOR .. "{" .. table.concat(branches, ", ") .. "}"
end

-- A hop that records a packet several times stands in the path once.
local function join_names(node)
  local hops, first, is_group = {}, limits.hops + 1, node.is_group
  while node do
    if not node.hop.name then
      return nil
    elseif node.hop ~= hops[first] then
      first = first - 1
      hops[first] = node.hop
    end
    node = node.parent
  end
  return (is_group and in_branches or in_line)(hops, first, limits.hops)
end

--- The names of a path's hops, as one text; nil if a hop has no name.
function M.text(node)
  local text = texts[node]
  if text == nil then
    if text_bytes > MOST_TEXT then
      texts, text_bytes = {}, 0
    end
    text = join_names(node) or false
    texts[node], text_bytes = text, text_bytes + size_of(node) + #(text or "")
  end
  return text or nil
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

--- The node behind `parent` (nil: the start) for a sighting at `hop`; nil if the path is too long.
-- A node has: hop, parent, depth (1 for the first sighting), counts (how many sightings, by hop), next (the
-- nodes behind it, by hop), is_group.
-- @param is_group whether the packet goes to a group, so that it takes other ways
function Path:step(parent, hop, is_group)
  local roots = is_group and self.group_roots or self.roots
  local branches = parent and parent.next or roots
  local node = branches[hop]
  if node then
    return node
  end
  if parent and parent.depth >= limits.hops then
    return nil
  end
  if self.nodes >= MOST_NODES then
    self.roots, self.group_roots, self.nodes = {}, {}, 0
    branches = parent and branches or is_group and self.group_roots or self.roots
  end
  node = {
    hop = hop,
    parent = parent,
    depth = parent and parent.depth + 1 or 1,
    is_group = is_group or parent ~= nil and parent.is_group,
    counts = counts_of(parent, hop),
    next = {},
  }
  branches[hop] = node
  self.nodes, self.made = self.nodes + 1, self.made + size_of(node)
  return node
end

--- What is not known yet of the ways of a class.
function M.ways()
  return { passed = {}, ended = {}, steps = {}, shown = {}, nodes = 0 }
end

local function count(ways, what, node, by)
  local known = ways[what][node]
  if not known then
    if ways.nodes >= limits.nodes_of_class then
      ways.passed, ways.ended, ways.steps, ways.shown, ways.nodes = {}, {}, {}, {}, 0
    end
    ways.nodes = ways.nodes + 1
  end
  ways[what][node] = (known or 0) + by
end

--- Learns that a packet came to a node.
-- @param ways of the packet's class: how many packets came to a node, how many were not seen again behind it, how long
--   the last step took, and which hops have shown any
-- @param took seconds, for a packet that was the only one with its bytes on its way; else false
function M.pass(ways, node, took)
  count(ways, "passed", node, 1)
  if not ways.shown[node.hop] then
    ways.shown[node.hop], ways.ended = true, {} -- what ended before this hop showed any may go on there
  end
  if took and ways.passed[node] >= limits.begin then
    ways.steps[node] = ways.steps[node] or steps.new()
    steps.note(ways.steps[node], took)
  end
end

--- How many of the last packets of a class took about as long for the step to a node.
-- @param node of the path, or nil
-- @param took seconds
function M.count_as_long(ways, node, took)
  local step = node and ways.steps[node]
  return step and steps.count(step, took) or 0
end

-- How many packets of a class came to a node, or nil.
local function passed(ways, node)
  return node and ways.passed[node] or 0
end

-- Whether one way was gone often enough, and far more often than another.
local function outweighs(one, other)
  return one >= limits.path_ends and one > limits.path_share * other
end

-- Whether enough packets of a class came to a node to know where they go on to.
local function is_known(ways, node)
  return passed(ways, node) >= limits.path_ends
end

--- Whether packets of a class that passed `node` go on to a hop far more often than those that passed `other`.
function M.is_likelier(ways, node, other, hop)
  return is_known(ways, other) and outweighs(passed(ways, node.next[hop]), passed(ways, other.next[hop]))
end

--- Whether packets of a class that passed `node` have gone on to a hop.
function M.has_gone_on(ways, node, hop)
  return passed(ways, node.next[hop]) > 0
end

-- At least how many packets of a class began at a hop: those counted there or, if more, those that went on to one hop.
local function began(ways, root)
  local most = passed(ways, root)
  for _, node in pairs(root.next) do
    most = max(most, passed(ways, node))
  end
  return most
end

--- Whether packets of a class begin at a hop far more often than they come there from a node.
-- @param root the node of those that begin there, or nil
function M.begins(ways, node, root)
  return root ~= nil and outweighs(began(ways, root), passed(ways, node.next[root.hop]))
end

--- Learns that it is not seen again.
function M.stop(ways, node)
  count(ways, "ended", node, 1)
end

--- Learns that one of them may have been seen again, so that it does not count as one that was not.
function M.doubt_stop(ways, node)
  count(ways, "ended", node, -1)
end

--- Whether packets of a class that came to `node` are hardly ever seen at a hop after that, though it shows others.
function M.ends_before(ways, node, hop)
  return ways.shown[hop] and outweighs(ways.ended[node] or 0, passed(ways, node.next[hop])) or false
end

--- Whether packets of a class that came to `node` went on to a hop, or too few came to know.
function M.may_go_on(ways, node, hop)
  return not is_known(ways, node) or ways.passed[node.next[hop] or 0] ~= nil
end

return M
