"""The tables that all else is made from: fields, drop reasons, colours."""
