"""Lists of seeds as written on the command line."""

from ganzfeld.errors import UsageError

MOST_LISTED = 10_000
"""The most seeds of one list of a command that needs all of them at once."""


def seeds_in(text: str) -> list[int]:
    """Return the seeds of ``3,17,42`` or ``0-9,42`` in the given order.

    Raises ``UsageError`` for anything else, and for more than 10,000 of them.
    """
    ranges = ranges_of(text)
    if sum(part.stop - part.start for part in ranges) > MOST_LISTED:
        raise UsageError(f"{text!r} are too many seeds: at most {MOST_LISTED:,}")
    return [seed for part in ranges for seed in part]


def ranges_of(text: str) -> list[range]:
    """Return the seeds of ``0-63``, ``3,14,15`` or ``0-9,42``. Raises ``UsageError`` for anything else."""
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 40:
            raise UsageError(f"{text!r} is not a list of seeds", "Write 0-63, or 3,14,15, or 0-9,42.")
        low, high = int(first), int(last) if dash else int(first)
        if high >= 2**63:
            raise UsageError(f"seed {high} is out of range: from 0 to {2**63 - 1}")
        if high < low:
            raise UsageError(f"the seeds {part.strip()} are in reverse order", f"Write {high}-{low}.")
        ranges.append(range(low, high + 1))
    return ranges
