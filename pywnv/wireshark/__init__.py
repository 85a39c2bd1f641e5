"""Finds and runs the user's Wireshark, and installs the plugin and the profiles."""
