"""Ablations: what one change of the chapter's recommendations is worth, over several seeds.

cells.py      the cells of the table: a base, and every change of one thing
changes.py    the changes that no field of a recipe makes
mixed.py      updates on mixed batches of real and generated images
results.py    one run, and its small JSON file
kept.py       the file docs/ablations.json, which keeps results beside the pages
schedule.py   all runs, one process each
table.py      paired differences, their intervals and verdicts
page.py       the pages docs/ablations.md and docs/ablations.zh.md
"""
