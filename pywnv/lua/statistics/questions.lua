--- Packets that ask for an answer: TCP handshakes, pings, ARP, neighbor solicitations; and whether one came.
--
-- Sources: RFC 9293 (flags), RFC 792, RFC 4443 (echo), RFC 826, RFC 4861.

local limits, ends_module, is_to_group = ...

local byte, sub = string.byte, string.sub
local ipv6 = ends_module.ipv6

local V4_PORTS, V6_PORTS = 17, 37 -- where they stand in a key: see `frame`
local FLAGS = 13 -- bytes behind the ports
local ECHO = { ICMP = { [8] = "asks", [0] = "answers" }, ICMPv6 = { [128] = "asks", [129] = "answers" } }
local SOLICITATION, ADVERTISEMENT = 135, 136

local M = {}

--- The questions of one capture.
-- @return table: take, count, close; groups: a list
function M.new()
  local pending, count = {}, 0
  local questions = { groups = { is_list = true } }
  local by_name = {}

  local function group_of(kind, source, destination, port)
    local name = kind .. source .. ">" .. destination .. ":" .. (port or "")
    local group = by_name[name]
    if not group then
      if #questions.groups >= limits.groups then
        source, destination, port, name = "(others)", "(others)", nil, kind
        group = by_name[name]
        if group then
          return group
        end
      end
      group = { kind = kind, source = source, destination = destination, port = port, asked = 0, unanswered = 0 }
      group.refused, group.dropped = 0, 0
      by_name[name] = group
      questions.groups[#questions.groups + 1] = group
    end
    return group
  end

  local only_answers = false -- whether what is taken is no first sighting

  -- Notes a question; one that is asked again before it was answered is the same.
  local function ask(name, kind, source, destination, port)
    local question = pending[name]
    if only_answers then
      return nil
    end
    if not question then
      if count >= limits.pending then
        pending, count = {}, 0
      end
      question = { kind = kind, group = group_of(kind, source, destination, port) }
      pending[name], count = question, count + 1
    end
    return question
  end

  local function answer(name, is_refusal)
    local question = pending[name]
    if not question then
      return
    end
    pending[name], count = nil, count - 1
    question.is_answered = true
    if is_refusal and question.counts then
      question.group.refused = question.group.refused + 1
    end
    if question.unanswered then -- it was thought to have none
      question.group.unanswered = question.group.unanswered - question.unanswered
    end
  end

  local function take_tcp(key, ends)
    local ports = byte(key, 1) == 4 and V4_PORTS or V6_PORTS
    local flags = byte(key, ports + FLAGS)
    if not flags or not ends.source_port then
      return nil
    end
    local is_syn, is_reset, is_ack = flags % 4 >= 2, flags % 8 >= 4, flags % 32 >= 16
    if is_syn and not is_ack then
      local start, known = sub(key, ports + 4, ports + 7), pending[ends.name]
      if known and known.start ~= start and not only_answers then
        pending[ends.name], count = nil, count - 1 -- another connection with the same ports
      end
      local question = ask(ends.name, "handshake", ends.source, ends.destination, ends.destination_port)
      if question then
        question.start = start
      end
      return question
    end
    answer(ends.back_name, is_reset)
    return nil
  end

  local function take_icmp(key, ends, frame)
    local ports = byte(key, 1) == 4 and V4_PORTS or V6_PORTS
    local kind = byte(key, ports + 4)
    local what = ECHO[ends.protocol][kind]
    local sequence = sub(frame.content, 1, 2)
    if what == "asks" and not is_to_group(frame) then -- who asks all gets what he gets
      local name = ends.name .. sub(key, ports, ports + 1) .. sequence
      return ask(name, "ping", ends.source, ends.destination)
    elseif what == "answers" then
      answer(ends.back_name .. sub(key, ports + 2, ports + 3) .. sequence)
    elseif kind == SOLICITATION and #frame.content >= 20 and ends.source ~= "::" then
      local target = sub(frame.content, 5, 20)
      return ask("neighbor" .. target, "neighbor", ends.source, ipv6(target, 1))
    elseif kind == ADVERTISEMENT and #frame.content >= 20 then
      answer("neighbor" .. sub(frame.content, 5, 20))
    end
    return nil
  end

  local function take_arp(key, ends)
    local operation = byte(key, 9)
    if not ends.source or ends.source == ends.destination or ends.source == "0.0.0.0" then
      return nil
    elseif operation == 1 then
      return ask(ends.name, "arp", ends.source, ends.destination)
    elseif operation == 2 then
      answer(ends.back_name)
    end
    return nil
  end

  --- Takes a packet: its first sighting, or one that shows other ends behind a NAT.
  -- @param key  of it, as `frame.read` makes it
  -- @param ends as `ends.of` gives it, with name and back_name: equal for all packets of a flow's way
  -- @param frame as `engine.look` leaves it
  -- @param is_first whether it is the first sighting: others ask nothing
  -- @return the question that it asks, or nil; `counts` stands in it once a packet that asks it is selected
  function questions.take(key, ends, frame, is_first)
    local protocol = ends.protocol
    only_answers = not is_first
    if protocol == "TCP" then
      return take_tcp(key, ends)
    elseif protocol == "ARP" then
      return take_arp(key, ends)
    elseif ECHO[protocol] then
      return take_icmp(key, ends, frame)
    end
    return nil
  end

  -- Of a TCP handshake, a SYN that is sent again is no other one.
  local function is_once(question)
    return question.kind == "handshake"
  end

  --- Counts a packet that asks, once it is selected.
  function questions.count(question)
    if not (question.counts and is_once(question)) then
      question.counts, question.group.asked = true, question.group.asked + 1
    end
  end

  --- Counts a packet that asked, once no more of it is expected.
  -- @param hop where it was seen last
  -- @return whether nothing has answered it
  function questions.close(question, packet, hop, is_dropped)
    if question.is_answered then
      return false
    end
    local group, is_again = question.group, question.unanswered and is_once(question)
    if not is_again then
      question.unanswered = (question.unanswered or 0) + 1
      group.unanswered = group.unanswered + 1
    end
    if is_dropped and not (is_again and question.is_dropped) then
      question.is_dropped = true
      group.dropped = group.dropped + 1
    end
    group.end_hop = hop
    group.first_frame = math.min(group.first_frame or packet, packet)
    return true
  end

  return questions
end

return M
