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
  "Hops; the rest is one hop, (others)")
limit("masked", 52, "hops", SHOWN,
  "Hops in which gaps are looked for: a double holds that many bits")
limit("steps", 500, "steps", SHOWN,
  "Steps from one hop to another; the rest is not listed")
limit("gaps", 4, "gaps", SHOWN,
  "Longest gaps of a hop")
limit("timelines", 64, "hops and steps", SHOWN,
  "Hops, and steps, that are shown over time: the first ones")
limit("branches", 1000, "paths", HELD,
  "Paths of which pywnv remembers whether they branch; then it forgets all")

-- What became of packets.
limit("kinds", 1000, "kinds", SHOWN,
  "Kinds of paths, of drops, and of ends; the rest is one kind, (others)")
limit("masks", 2000, "sets of hops", SHOWN,
  "Sets of hops that packets of a class passed; no gap is looked for in the rest")
limit("strangers", 1000, "sets of hops", SHOWN,
  "Sets of hops that packets passed which were not selected; half of them with addresses; the rest is not listed")
limit("between", 16, "pairs of addresses", "test_statistics_bounds::test_addresses_of_a_path",
  "First pairs of addresses between which packets of a path go; the rest is not listed")
limit("dropped", 3, "packets", SHOWN,
  "Dropped packets that are shown as examples: the first ones")
limit("sightings", 24, "sightings", SHOWN,
  "Last sightings of an example")

-- Who talks to whom.
limit("flows", 20000, "flows", HELD,
  "Flows in memory; then pywnv keeps the `kept_flows` with the most packets and trouble")
limit("kept_flows", 5000, "flows", HELD,
  "Flows that are kept then")
limit("told_flows", 200, "flows", SHOWN,
  "Flows that are listed: those with the most packets and trouble")
limit("pairs", 64, "classes", SHOWN,
  "Pairs of addresses, as classes of packets that take the same path")
limit("addresses", 4096, "addresses", SHOWN,
  "First addresses; the rest is not listed")
limit("protocols", 256, "protocols", SHOWN,
  "Protocols; the rest is one, (others)")

-- Questions and losses.
limit("pending", 65536, "questions", HELD,
  "Requests that wait for an answer; then pywnv forgets all")
limit("groups", 2000, "groups", SHOWN,
  "Groups of who asks whom; the rest of each kind is one, (others)")
limit("followed", 8192, "flows", LOST,
  "Flows in which losses are looked for at a time; then these are added up, and others are followed")
limit("losses", 200, "losses", LOST,
  "Losses that are listed: those with the most packets")
limit("missed", 1000, "interfaces", LOST,
  "Interfaces whose statistics say what the capture missed; the rest is not listed")

return M
