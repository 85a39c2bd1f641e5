"""The main job: a row, or a comment, for every frame of a capture."""
