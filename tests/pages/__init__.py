"""Read the documentation as a reader does: its blocks, its links, its commands typed into a terminal."""
