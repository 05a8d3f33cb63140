"""``--auto``: the doctor's remedies, tried and kept or undone."""
