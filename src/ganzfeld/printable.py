"""Text for people: names of files that are safe to show on a terminal or a page, and counted things."""


def printable(name: str) -> str:
    """A file name that is safe to show: control characters and undecodable bytes as escapes, on one line."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name
    )
    return shown if len(shown) <= 300 else f"{shown[:140]}...{shown[-140:]}"


def counted(number: int, noun: str) -> str:
    """``1 picture``, ``2,000 pictures``: for nouns with a regular plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
