"""``docs/health.md`` lists every reading as its entry describes it.

``python -m tests.health.test_page`` writes the table.
"""

import re
from pathlib import Path

from ganzfeld.health.readings import readings
from ganzfeld.metrics import quality_scale

PAGE = Path(__file__).parents[2] / "docs" / "health.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


def table() -> str:
    """Return a heading and a table for every entry."""
    parts = []
    for name, entry in [
        *((name, readings.load(name)) for name in readings.names()),
        ("quality", quality_scale),
    ]:
        title = (entry.__doc__ or "").split("\n")[0].removesuffix(".")
        rows = "\n".join(f"| `{each}` | {meaning} |" for each, meaning in entry.NAMES.items())
        parts.append(f"\n### {name}: {title[0].lower()}{title[1:]}\n\n| | |\n|---|---|\n{rows}\n")
    return "".join(parts) + "\n"


def test_the_page_is_not_stale():
    (found,) = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    assert found == table(), "python -m tests.health.test_page"


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
