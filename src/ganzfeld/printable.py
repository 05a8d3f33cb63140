"""Text for people: names of files that are safe to show on a terminal or a page, and counted things."""

LONGEST_NAME = 300


def printable(name: str, longest: int = LONGEST_NAME) -> str:
    """A file name that is safe to show: control characters and undecodable bytes as escapes, on one line.

    Of what is longer than ``longest`` characters, the middle is left out.
    """
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name
    )
    kept = longest // 2 - 10
    return shown if len(shown) <= longest else f"{shown[:kept]}...{shown[-kept:]}"


def counted(number: int, noun: str) -> str:
    """``1 picture``, ``2,000 pictures``: for nouns with a regular plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
