--- The engine's limits: each with its value, unit, what it is of, and the capture or the test that needs it.
--
-- `make rules` switches each off in turn and prints which captures change.

local M = { list = {} }

local MILLISECOND, MEGABYTE = 1e-3, 1024 * 1024

-- @param without the value that stands for no limit; nil: a capture made to defeat us needs it
-- @param proof   the capture in tests/captures, the case of tests/hard_cases, or the test that needs it
-- @param reason  what it is of
local function limit(name, value, unit, without, proof, reason)
  M[name] = value
  M.list[#M.list + 1] =
    { name = name, value = value, unit = unit, reason = reason, proof = proof, without = without }
end

limit("window", 200 * MILLISECOND, "s", 1e9, "lab2/tcp-same",
  "No sender waits less before it sends the same again: TCP's least timeout")
limit("key_span", 16, "bytes", 0, "lab2/tenants",
  "Of the content in a key: frames that were cut at 128 bytes have that in common")

-- Identity.
limit("idents_of_sender", 8, "packets", 1, "lab2/busy",
  "Whose IP IDs must differ from a packet's for that to tell it from others")
limit("same_hop_soon", 2 * MILLISECOND, "s", 0, "rules/lso-n",
  "So soon at one hop, data that does not count is not sent again")
limit("same_hop_timers", 0.08 * MILLISECOND, "s", 0, "rules/client-p24",
  "So soon, what protocols send by a timer is not sent again")
limit("random_least", 24, "bytes", 1e9, "lab2/tenants",
  "Of payload whose bytes can be told from text and patterns")
limit("random_share", 0.8, "", 0, "telemetry",
  "Of the different bytes that random ones have")
limit("random_large", 500, "bytes", 1e9, "quic_twice",
  "Of payload drawn by lot that count as another packet only where something proves it")
limit("swapped", 0.1 * MILLISECOND, "s", 0, "lab2/nat",
  "In which mirrors may swap two sightings")
limit("varying", 2, "packets", 0, "rules/journal-flood-n",
  "Of a flow that must differ before its payload counts as drawn anew for each")
limit("varying_share", 50, "to 1", 0, "rules/neg-flood-udp-const",
  "Of them, those that differ from all before")
limit("flood_of_changing", 16, "sightings", 1e9, "rules/neg-flood-udp-const",
  "The same of one whose sender was")
limit("flood", 4, "sightings", 1e9, "rules/journal-flood-n",
  "At one place of a packet whose sender was not seen to change its identity")

-- Learned: how often a place shows a packet.
limit("settled", 10 * MILLISECOND, "s", 0, "lab2/busy",
  "Without a sighting, after which a packet teaches how often it was seen")
limit("agreement", 0.8, "", 0, "rules/busy-q8-drop-one-interface",
  "Of the packets of a class that must have been seen equally often")
limit("taught", 64, "packets", 1e9, "lab2/tcp-same",
  "After which older ones count half")
limit("longest_gap", 4, "times", 1e9, "lab2/tcp-same",
  "The longest step known, after which a packet is not waited for")
limit("least_longest_gap", 5 * MILLISECOND, "s", 0, "rules/lso-n",
  "For which it is waited for in any case")
limit("shortest_gap", 0.6, "times", 0, "vlan_one_interface",
  "The shortest step known, before which no sighting comes")

-- Order.
limit("begin", 4, "packets", 1e9, "rules/busy-q8-drop",
  "That must have been seen first at a place before it counts as where its sender begins")
limit("begin_share", 50, "to 1", 0, "rules/lso-n",
  "Of the packets seen there")
limit("in_order", 8, "packets", 1e9, "lab2/busy-drop-fifo",
  "That must have kept their order between two places before it counts as kept")
limit("order_share", 50, "to 1", 0, "lab2/busy",
  "Of the packets that kept their order, to those that did not")
limit("weak_step", 10 * MILLISECOND, "s", 1e9, "lab2/tenants",
  "Between two hops, for what cannot be told by identity, while nothing is known of the step")
limit("least_weak_step", 2 * MILLISECOND, "s", 0, "lab2/tcp-same",
  "The same, at least, where it is known")
limit("once_share", 50, "to 1", 0, "rules/neg-flood-udp-const",
  "Of packets that a hop has shown once, to others, for one more to be a new packet for sure")
limit("hop_once", 16, "packets", 1e9, "lab2/busy",
  "That a hop must have shown once before that counts for senders it does not know")
limit("hop_once_share", 8, "to 1", 0, "rules/client-p24",
  "Of them, to those that it has shown more often")
limit("once", 4, "packets", 1e9, "lab2/busy",
  "That must have been seen once at a place before one more is a new packet")

-- Packet ids.
limit("ids_repeat", 4, "frames", 1, "hard/pktmon_ids",
  "With an id, of which one must repeat one, for ids to be believed")
limit("path_ends", 4, "packets", 1e9, "lab2/busy-drop-fifo",
  "That must have been seen no more behind some hops before that counts as their way")
limit("path_share", 16, "to 1", 0, "lab2/busy-drop-fifo",
  "Of them, to those that went on")

-- TCP, segments, NAT.
limit("duplicate_acks", 2, "ACKs", 1e9, "coarse_clock",
  "That repeat another before what they ask for is sent again")
limit("overtaken_after", 3 * MILLISECOND, "s", 1e9, "v6-loss",
  "After which what lies behind newer data was sent again, as Wireshark has it")
limit("flight", MEGABYTE, "bytes", 2 ^ 31, "rules/tenants-p24",
  "That a sender has on their way at once: what lies further back is of another connection with the same ends")
limit("idents_ahead", 1024, "packets", 0, "lab2/nat-loss",
  "Of a sender that counts, by IP ID, between what overtook and what was sent again")
limit("counted", 4, "to 1", 0, "rules/vpn-e",
  "Steps of at most so many in the IP IDs of a flow that counts, to other steps")
limit("segment_idents", 63, "", 1, "hard/lso",
  "Segments of one large frame, by IP ID")
limit("nat_votes", 2, "packets", 1e9, "lab2/nat",
  "That must agree on a binding where none proves it")
limit("network_agree", 2, "packets", 1, "rules/vxlan-2vni",
  "That must show a hop to lead to one virtual network")
limit("network_share", 8, "to 1", 0, "rules/vxlan-2vni",
  "Of them, to those that show another")
limit("near", 1 * MILLISECOND, "s", 1e9, "rules/journal-flood-n",
  "Between an event of the vmSwitch and the packet before or after it")

-- Bounds against captures made to defeat us.
limit("random_most", 160, "bytes", nil, "test_engine_bounds::test_long_payloads_are_looked_at_as_far_as_short_ones",
  "Of payload that are looked at")
limit("packets", 16384, "packets", nil, "test_engine_limits::test_memory_stays_flat",
  "In a generation; two are remembered")
limit("packet_bytes", 8 * MEGABYTE, "bytes", nil, "test_engine_bugs::test_12_memory",
  "Of content in a generation")
limit("path_bytes", 4 * MEGABYTE, "bytes", nil, "test_engine_limits::test_memory_of_paths_that_no_other_packet_goes",
  "Of the paths of a generation")
limit("ways", 4096, "pairs of hops", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Whose order is known")
limit("ways_of_flow", 64, "pairs of hops", nil,
  "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Whose order is known of one flow or sender")
limit("nodes_of_class", 32, "paths", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "Of one class")
limit("flows", 8192, "flows", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "In a generation")
limit("senders", 4096, "senders", nil, "test_engine_limits::test_memory_of_what_many_senders_teach_of_many_hops",
  "In a generation")
limit("places", 16384, "places", nil, "test_engine_limits::test_a_packet_at_65000_hops",
  "Of all hops")
limit("distance", 2 ^ 20, "frames", nil, "test_engine_bounds::test_a_packet_is_over_before_dedup_has_chosen",
  "Between the first and the last sighting of a packet")
limit("chains", 4096, "buffers", nil, "test_engine_bounds::test_buffers_that_never_arrive_are_forgotten",
  "Of the vmSwitch that are on their way")
limit("holes", 32, "ranges", nil, "test_engine_bounds::test_a_flow_has_so_many_holes_at_most",
  "That are missing in a flow")
limit("large", 64, "frames", nil, "test_engine_bounds::test_a_flow_of_large_frames_takes_time_in_proportion",
  "Of a flow that are larger than what Ethernet carries")
limit("tries", 64, "packets", nil, "test_engine_limits::test_one_key_again_and_again",
  "With the same bytes that a frame is compared with")
limit("hops", 64, "hops", nil, "test_engine_limits::test_a_packet_at_65000_hops",
  "That one packet passes, or that something is learned of for one sender")

return M
