-- What Lua 5.1 to 5.4 and LuaJIT have in common, and nothing more.
std = "min"
max_line_length = 120
-- In Wireshark a print goes to a console that nobody sees, in tshark into the results.
not_globals = { "print" }

-- The plugin runs inside Wireshark; it reads this API and writes no global.
local wireshark = {
  "ByteArray", "Dissector", "DissectorTable", "Field", "Listener", "NSTime", "Pref", "Proto", "ProtoExpert",
  "ProtoField", "TextWindow", "TreeItem", "Tvb", "base", "expert", "frametype", "ftypes", "get_preference", "get_version",
  "gui_enabled", "new_dialog", "register_menu", "register_packet_menu", "register_postdissector", "register_stat_cmd_arg",
  "reload_packets", "retap_packets", "set_filter", "apply_filter", "set_plugin_info", "copy_to_clipboard",
  "MENU_TOOLS_UNSORTED",
}
files["lua/wnv.lua"] = { max_line_length = false, ignore = { "212/%.%.%." }, read_globals = wireshark } -- generated
files["pywnv/lua/plugin/windows.lua"] = { read_globals = wireshark }

-- The batch body tells LuaJIT, where it is one, how much it may compile.
files["pywnv/lua/batch/batch.lua"] = { read_globals = { "jit" } }
