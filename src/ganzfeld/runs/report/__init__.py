"""The report of a run: the page, its charts, and its sentences about quality."""
