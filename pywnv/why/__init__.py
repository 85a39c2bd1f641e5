"""Why packets do not come where they should: a sentence, and the numbers behind it."""
