"""A report of captures: one page with pictures that opens anywhere, or Markdown for a ticket."""
