"""What the user knows of the Windows host."""
