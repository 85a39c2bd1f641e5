--- Windows and tables about the whole capture or one packet: Tools > WNV, the packet's menu, and tshark's -z wnv,...
--
-- Nothing is counted until the user opens one. Then it is read from the plugin's decisions on each frame.

local reports, records, names, in_words = ...

local lay_out = reports.table()
local WIDTH = 80 -- characters of a line

local NOTHING = "No frame has a mark: is a capture open, and the preference wnv.enabled on?\n"

local function over_all(report, take)
  if records.last() == 0 then
    return NOTHING
  end
  for number = 1, records.last() do
    local said, time, from = records.read(number)
    take(report, number, said, time, from)
  end
  return report.total()
end

local function summary()
  return over_all(reports.summary(names.verdict, lay_out, in_words), function(report, number, said, time)
    report.row(number, time, 0, nil, said)
  end)
end

local function latency()
  return over_all(reports.latency(lay_out, in_words), function(report, _, said, _, from)
    if said and said.packet then
      report.row(said, from)
    end
  end)
end

local function drops()
  return over_all(reports.drops(lay_out, in_words), function(report, _, said)
    if said then
      report.row(said)
    end
  end)
end

-- The packet that a frame shows, or that an event is about or near.
-- @return its number, or nil; words about the frame where it shows none
local function packet_of(frame)
  local said = frame and records.read(frame)
  if not frame then
    return nil, "Select a packet first.\n"
  elseif not said then
    return nil, ("Frame %d is not a packet.\n"):format(frame)
  elseif said.packet then
    return said.packet
  end
  local words = in_words.wrapped(("Frame %d is an event: %s"):format(frame, said.info), WIDTH, "  ")
  if said.event_packet then
    return said.event_packet, words .. "The packet that it is about:\n\n"
  elseif not said.event_near then
    return nil, words
  end
  return records.read(said.event_near).packet, words .. "The packet just before it:\n\n"
end

local function path(frame)
  local packet, words = packet_of(frame)
  if not packet then
    return words
  end
  local report = reports.path(names, lay_out, in_words)
  for number, said in records.sightings(packet) do
    if said.packet then
      report.row(number, said)
    else
      report.event(number, said)
    end
  end
  return ("%sPacket %d\n%s"):format(words or "", packet, report.total())
end

local function failure(problem)
  return "pywnv failed, please report this: " .. tostring(problem)
end

-- Shows a text in a window, and makes it anew at the press of a button.
local function show(title, text_of)
  local window = TextWindow.new(title)
  window:set_editable(false)
  local function fill()
    local is_whole, text = pcall(text_of)
    window:set(is_whole and text or failure(text))
  end
  fill()
  window:add_button("Refresh", fill)
end

local function follow()
  local packet, words = packet_of(records.chosen())
  if not packet then
    show("WNV: follow this packet", function()
      return words
    end)
    return
  end
  set_filter(("wnv.packet == %d"):format(packet))
  apply_filter()
end

local function opens(title, text_of)
  return function()
    show(title, text_of)
  end
end

local function show_path()
  local frame = records.chosen()
  show("WNV: path of the packet", function()
    return path(frame)
  end)
end

local has_answered = false

-- tshark prints when all frames are read, and only what was asked for.
local function answers(name, text_of)
  register_stat_cmd_arg("wnv," .. name, function(argument)
    records.are_wanted = true
    local tap = Listener.new("frame")
    function tap.draw()
      local is_whole, text, problem = pcall(text_of, argument:match("^wnv,%l+(.*)$"))
      if is_whole and text then
        io.stdout:write(has_answered and "\n" or "", text)
        has_answered = true
      else
        io.stderr:write("-z ", argument, ": ", problem or failure(text), "\n")
      end
    end
  end)
end

local function takes_nothing(text_of)
  return function(rest)
    if rest ~= "" then
      return nil, "takes no further argument"
    end
    return text_of()
  end
end

local function path_of_argument(rest)
  if records.last() == 0 then
    return NOTHING
  end
  local digits = rest:match("^,(%d+)$")
  local frame = digits and tonumber(digits)
  if not frame or frame < 1 or frame > records.last() then
    return nil, ("needs a frame number from 1 to %d, as in -z wnv,path,1"):format(records.last())
  end
  return path(frame)
end

if not gui_enabled() then
  answers("summary", takes_nothing(summary))
  answers("latency", takes_nothing(latency))
  answers("drops", takes_nothing(drops))
  answers("path", path_of_argument)
  return
end

local function in_menu(title, action)
  register_menu("WNV/" .. title, action, MENU_TOOLS_UNSORTED)
end
local function in_both_menus(title, action)
  in_menu(title, action)
  if register_packet_menu then -- Wireshark 4.0 has none
    register_packet_menu("WNV/" .. title, action, "frame.number")
  end
end

in_both_menus("Follow this packet", follow)
in_both_menus("Path of this packet", show_path)
in_menu("Hop latency", opens("WNV: hop latency", latency))
in_menu("Drops by reason and place", opens("WNV: drops", drops))
in_menu("Capture summary", opens("WNV: capture summary", summary))
