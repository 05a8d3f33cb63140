"""The monitors of a run: health, quality and diagnosis."""
