--- What the statistics keep at most, so that memory does not grow with the capture: each bound with its value, unit,
-- reason, and the test that needs it.

local M = { list = {} }

local SHOWN = "test_statistics_bounds::test_no_more_than_the_bound"
local HELD = "test_statistics_bounds::test_less_memory_than_without_the_bound"
local LOST = "test_statistics_bounds::test_losses"

-- @param reason what it bounds, and what becomes of the rest
local function limit(name, value, unit, proof, reason)
  M[name] = value
  M.list[#M.list + 1] = { name = name, value = value, unit = unit, reason = reason, proof = proof }
end

limit("slots", 2 ^ 16, "frames", "test_statistics_bounds::test_a_late_sighting_is_counted_as_such",
  "From a packet's first frame to its last; what comes later is counted as `late`")
limit("bins", 256, "bins", SHOWN,
  "Of a timeline; where there is no room for more, two become one")

-- Places.
limit("hops", 500, "hops", SHOWN,
  "The rest is one hop, (others)")
limit("masked", 52, "hops", SHOWN,
  "That a number tells apart: a double holds no more bits. Gaps are looked for in these")
limit("steps", 500, "steps", SHOWN,
  "From one hop to another; the rest is not told")
limit("gaps", 4, "gaps", SHOWN,
  "Of a hop, the longest")
limit("timelines", 64, "hops and steps", SHOWN,
  "That are told over time, of each the first")
limit("branches", 1000, "paths", HELD,
  "Of which is known whether they branch; then all are forgotten")

-- What became of packets.
limit("kinds", 1000, "kinds", SHOWN,
  "Of paths, of drops, and of ends; the rest is one kind, (others)")
limit("masks", 2000, "sets of hops", SHOWN,
  "That the packets of a class passed; in the rest no gap is looked for")
limit("strangers", 1000, "sets of hops", SHOWN,
  "That packets passed which were not selected; the rest is not told")
limit("dropped", 3, "packets", SHOWN,
  "That were dropped, as examples: the first")
limit("sightings", 24, "sightings", SHOWN,
  "Of an example, the last")

-- Who talks to whom.
limit("flows", 20000, "flows", HELD,
  "Then all but `kept_flows` are forgotten: those with the fewest packets and the least trouble")
limit("kept_flows", 5000, "flows", HELD,
  "That are kept then")
limit("told_flows", 200, "flows", SHOWN,
  "That are told: those with the most packets and trouble")
limit("pairs", 64, "classes", SHOWN,
  "Of pairs of addresses: their packets go the same way")
limit("addresses", 4096, "addresses", SHOWN,
  "The first; the rest is not told")
limit("protocols", 256, "protocols", SHOWN,
  "The rest is one, (others)")

-- Questions and losses.
limit("pending", 65536, "questions", HELD,
  "That wait for an answer; then all are forgotten")
limit("groups", 2000, "groups", SHOWN,
  "Of who asks whom; the rest of each kind is one, (others)")
limit("followed", 8192, "flows", LOST,
  "That losses are looked for in; then they are added up, and others are followed")
limit("losses", 200, "losses", LOST,
  "That are told: those with the most packets")
limit("missed", 1000, "interfaces", LOST,
  "That tell what their capture missed; the rest is not told")

return M
