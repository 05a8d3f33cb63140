"""The report of a run: one page, its charts, and its words."""
