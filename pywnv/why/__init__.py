"""Why packets do not arrive: a sentence, and the numbers behind it."""
