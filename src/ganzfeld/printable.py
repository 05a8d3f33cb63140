"""Names of files as text that is safe to show on a terminal or a page."""


def printable(name: str) -> str:
    """A file name that is safe to show: control characters and undecodable bytes as escapes, on one line."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name
    )
    return shown if len(shown) <= 300 else f"{shown[:140]}...{shown[-140:]}"
