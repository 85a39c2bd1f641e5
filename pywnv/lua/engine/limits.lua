--- The engine's limits: each with its value, unit, meaning, and the capture or the test that needs it.
--
-- `make rules` switches each off in turn and prints which captures change.

local M = { list = {} }

local MILLISECOND, MEGABYTE = 1e-3, 1024 * 1024

-- @param without the value that means no limit; nil: a hostile capture needs the limit
-- @param proof   the capture in tests/captures, the case of tests/hard_cases, or the test that needs it
-- @param reason  what it limits
local function limit(name, value, unit, without, proof, reason)
  M[name] = value
  M.list[#M.list + 1] =
    { name = name, value = value, unit = unit, reason = reason, proof = proof, without = without }
end

limit("window", 200 * MILLISECOND, "s", 1e9, "lab2/tcp-same",
  "Longest time between sightings of a packet: no sender waits less before it sends again (TCP's shortest timeout)")
limit("key_span", 16, "bytes", 0, "lab2/tenants",
  "Content bytes in a key: frames that were cut at 128 bytes still have them")

-- Identity.
limit("idents_of_sender", 8, "packets", 1, "lab2/busy",
  "How many packets of a sender must have different IP IDs before an IP ID identifies a packet")
limit("same_hop_soon", 2 * MILLISECOND, "s", 0, "rules/lso-n",
  "Time within which no sender sends TCP data without an identity again")
limit("same_hop_timers", 0.08 * MILLISECOND, "s", 0, "rules/client-p24",
  "Time within which nobody repeats packets that protocols repeat by a timer")
limit("random_least", 24, "bytes", 1e9, "lab2/tenants",
  "Shortest payload that can be told from text and patterns")
limit("random_share", 0.8, "", 0, "telemetry",
  "How many different bytes a payload must have to look random, as a share of those of a random payload")
limit("random_large", 500, "bytes", 1e9, "quic_twice",
  "Size of a random payload from which on only proof makes it another packet")
limit("swapped", 0.1 * MILLISECOND, "s", 0, "lab2/nat",
  "Time within which a mirror may swap two sightings")
limit("varying", 2, "packets", 0, "rules/journal-flood-n",
  "How many packets of a flow must differ before each random payload counts as a new one")
limit("varying_share", 50, "to 1", 0, "rules/neg-flood-udp-const",
  "Packets of a flow with a new payload for each one with a repeated payload, before a payload identifies its packet")
limit("flood_of_changing", 16, "sightings", 1e9, "rules/neg-flood-udp-const",
  "As `flood`, for a packet whose sender was seen to change its identity")
limit("flood", 4, "sightings", 1e9, "rules/journal-flood-n",
  "Sightings of a packet at one place, or repeats of a sender, after which equal frames are a flood, not duplicates")

-- Learned: how often a place shows a packet.
limit("settled", 10 * MILLISECOND, "s", 0, "lab2/busy",
  "Time without a sighting after which pywnv learns how often a packet was seen")
limit("agreement", 0.8, "", 0, "rules/busy-q8-drop-one-interface",
  "Share of a sender's packets that must have been seen equally often")
limit("begins", 8, "to 1", 1e9, "seen_behind_first",
  "A packet may begin at a place of a hop only if at least one of this many began there")
limit("taught", 64, "packets", 1e9, "lab2/tcp-same",
  "How many packets pywnv learns from before older ones count half")
limit("doubted", 8, "packets", 1e9, "twice_from_a_moment",
  "How many packets must be seen more or less often than those before until pywnv learns anew")
limit("longest_gap", 4, "times", 1e9, "lab2/tcp-same",
  "How long to wait for a packet, in multiples of the longest known step")
limit("least_longest_gap", 5 * MILLISECOND, "s", 0, "rules/vpn-e",
  "Shortest wait for a further sighting of a packet whose bytes nobody sends again so soon")
limit("shortest_gap", 0.6, "times", 0, "vlan_one_interface",
  "Earliest time of a sighting, in multiples of the shortest known step")
limit("crowds", 4, "to 1", 0, "equal_bursts",
  "Equal packets of a flow that do not overlap for each one that does, before sightings at one hop are counted")

-- Order.
limit("begin", 4, "packets", 1e9, "rules/busy-q8-drop",
  "How many packets must be seen first at a place before it counts as their sender's first place")
limit("in_order", 8, "packets", 1e9, "lab2/busy-drop-fifo",
  "How many packets must keep their order between two places before the order counts")
limit("order_share", 50, "to 1", 0, "lab2/busy",
  "Packets that kept their order for each one that did not, before the order counts")
limit("weak_step", 5 * MILLISECOND, "s", 1e9, "lab2/tenants",
  "Longest step between two hops for packets without an identity, while no step is known")
limit("least_weak_step", 2 * MILLISECOND, "s", 0, "lab2/tcp-same",
  "Lower bound of the longest step for packets without an identity, once a step is known; also at one hop")
limit("longest_queue", 50 * MILLISECOND, "s", 1e9, "pktmon_no_ids",
  "How long a queue may hold a packet without an identity, where none is known to have taken that way")
limit("usual_gap", 1.25, "times", 1e9, "rules/vxlan-2vni",
  "Longest usual time between two hops, in multiples of the longest known step")
limit("likely", 16, "to 1", 1e9, "equal_missed",
  "Packets that took as long as the second of two equal ones would for each one that took as long as the first would")
limit("late", 3, "packets", 1, "equal_stalled",
  "Equal packets in a row that come as if one before them was lost, before it counts as lost")
limit("late_unknown", 8, "packets", 1, "equal_lost_at_first",
  "Equal packets in a row that come as if one was lost, where it is not known how soon packets come to a hop")
limit("once_share", 50, "to 1", 0, "rules/neg-flood-udp-const",
  "Packets that a hop has shown equally often for each other one, before that counts as sure")
limit("hop_once", 16, "packets", 1e9, "lab2/busy",
  "How many packets a hop must have shown equally often before that counts for unknown senders")
limit("hop_once_share", 8, "to 1", 0, "rules/client-p24",
  "Packets that a hop has shown once for each one that it has shown more often, before that counts for unknown senders")
limit("once", 4, "packets", 1e9, "lab2/busy",
  "How many packets must have been seen once at a place before the same bytes again are a new packet")

-- Packet ids.
limit("ids_repeat", 4, "frames", 1, "hard/pktmon_ids",
  "Among how many frames with an id one must repeat an id before ids are trusted")
limit("same_id", 1, "s", 1e9, "pktmon_ids_restart",
  "Longest time between two frames with the same id before the id is another packet's")
limit("path_ends", 4, "packets", 1e9, "lab2/busy-drop-fifo",
  "How many packets must end before some hops before this counts as their path")
limit("path_share", 16, "to 1", 0, "lab2/busy-drop-fifo",
  "Packets that ended before these hops for each one that went on")

-- TCP, segments, NAT.
limit("duplicate_acks", 2, "ACKs", 1e9, "coarse_clock",
  "Duplicate ACKs before the data that they ask for is sent again")
limit("overtaken_after", 3 * MILLISECOND, "s", 1e9, "v6-loss",
  "Time after which data behind newer data was sent again, as in Wireshark")
limit("flight", MEGABYTE, "bytes", 2 ^ 31, "rules/tenants-p24",
  "Data in flight: data further back belongs to another connection with the same addresses and ports")
limit("idents_ahead", 1024, "packets", 0, "lab2/nat-loss",
  "Largest step between the IP IDs of two packets of a sender that counts them")
limit("counted", 4, "to 1", 0, "rules/vpn-e",
  "Steps between the IP IDs of a flow that fit a counter for each one that does not, for it to count")
limit("segment_idents", 63, "", 1, "hard/lso",
  "Segments of one large frame, by IP ID")
limit("nat_votes", 2, "packets", 1e9, "lab2/nat",
  "How many packets must agree on a binding if none proves it")
limit("hops_behind_nat", 31, "routers", 255, "same_from_several",
  "The most by which a NAT and the routers beside it lower the TTL: if it differs by more, there are two senders")
limit("network_agree", 2, "packets", 1, "rules/vxlan-2vni",
  "How many packets must show that a hop leads to one virtual network")
limit("network_share", 8, "to 1", 0, "rules/vxlan-2vni",
  "Packets that show one virtual network behind a hop for each one that shows another, before it counts")
limit("near", 1 * MILLISECOND, "s", 1e9, "rules/journal-flood-n",
  "Time between a vmSwitch event and the packet before or after it")

-- Bounds against hostile captures.
limit("random_most", 160, "bytes", nil, "test_engine_bounds::test_long_payloads_are_looked_at_as_far_as_short_ones",
  "Payload bytes that are checked for being random")
limit("packets", 16384, "packets", nil, "test_engine_limits::test_memory_stays_flat",
  "Packets in a generation; two generations are remembered")
limit("packet_bytes", 8 * MEGABYTE, "bytes", nil, "test_engine_bugs::test_12_memory",
  "Content in a generation")
limit("path_bytes", 4 * MEGABYTE, "bytes", nil, "test_engine_limits::test_memory_of_paths_that_no_other_packet_goes",
  "Paths in a generation")
limit("ways", 4096, "pairs of hops", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Pairs of hops whose order is known")
limit("ways_of_flow", 64, "pairs of hops", nil,
  "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Pairs of hops whose order is known for one flow or sender")
limit("nodes_of_class", 512, "paths", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Paths known of one sender to one receiver; a flood takes many, as each frame may come to the ports in another order")
limit("flows", 8192, "flows", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Flows in a generation")
limit("senders", 4096, "senders", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Senders in a generation")
limit("places", 16384, "places", nil, "test_engine_limits::test_a_packet_at_65000_hops",
  "Places at all hops")
limit("distance", 2 ^ 20, "frames", nil, "test_engine_bounds::test_a_packet_is_over_before_dedup_has_chosen",
  "Frames between the first and the last sighting of a packet")
limit("chains", 4096, "buffers", nil, "test_engine_bounds::test_buffers_that_never_arrive_are_forgotten",
  "vmSwitch buffers on their way")
limit("holes", 32, "ranges", nil, "test_engine_bounds::test_a_flow_has_so_many_holes_at_most",
  "Missing ranges in a flow")
limit("large", 64, "frames", nil, "test_engine_bounds::test_a_flow_of_large_frames_takes_time_in_proportion",
  "Frames of a flow that are larger than Ethernet allows")
limit("tries", 128, "packets", nil, "test_engine_limits::test_one_key_again_and_again",
  "Packets with the same bytes that a frame is compared with")
limit("behind", 8, "packets", nil, "test_engine_limits::test_one_key_again_and_again",
  "Equal packets behind the first one that may be meant instead")
limit("hops", 64, "hops", nil, "test_engine_limits::test_a_packet_at_65000_hops",
  "Hops of one packet, or hops known of one sender")

return M
