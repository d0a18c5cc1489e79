"""The table of contents: the edges wired into the stages, and a plan performed in order."""
