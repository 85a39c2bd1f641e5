"""The user's Wireshark: found, run, and given the plugin and the profiles."""
