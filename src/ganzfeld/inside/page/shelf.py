"""The records of a run, and ``inside.html``, which is made of them.

runs/<data>-001/
  inside/<key>.json   one section each; the same command writing the same files replaces its section
  inside/.lock        held while records and page are written
  inside.html         the page: the last ``MOST_SECTIONS`` sections, newest first

The lock and the journal of the run are not touched, so a run can be looked into while it trains.
"""

import os
import re
import time
from pathlib import Path

from pydantic import ValidationError

from ganzfeld.durable import make_folder
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.inside.page.section import Section
from ganzfeld.lock import locked, owner
from ganzfeld.output import Mark, mark_of, marked
from ganzfeld.own_folder import OwnFolder
from ganzfeld.printable import counted, printable
from ganzfeld.regular import read_regular
from ganzfeld.run_layout import INSIDE_PAGE, INSIDE_RECORDS, LOCK, RECIPE
from ganzfeld.runs.report.page import environment
from ganzfeld.strict_json import strict_json

PAGE = INSIDE_PAGE
FORMAT = 1
MOST_SECTIONS = 50
MOST_BYTES = 2**26
"""Bytes of all records together: a page that browsers open without effort. The newest is always kept."""
LARGEST_RECORD = 2**26
PATIENCE_S = 10.0
"""How long to wait for another command that writes the page."""

_SOFTWARE = "ganzfeld inside"
_RECORD = re.compile(r"[0-9a-f]{16}\.json")


def add_section(run: Path, section: Section) -> tuple[Path, list[str]]:
    """Add a section to ``inside.html`` in a run folder; return its path, and a note per unreadable record.

    Raises ``UsageError`` if the page is a file that Ganzfeld did not write, ``DamagedError`` for a link in
    its place, and ``ResourceError`` if the folder cannot be written to, or if another command holds its lock
    for more than ten seconds.
    """
    run = run.resolve()
    folder = OwnFolder(run, mark=RECIPE)
    folder.require_no_links(lambda name: name in (PAGE, INSIDE_RECORDS))
    page, records = run / PAGE, folder / INSIDE_RECORDS
    if os.path.lexists(page) and mark_of(page) != Mark.INSIDE_PAGE:
        raise UsageError(
            f"{page} is not a file that ganzfeld wrote",
            "Rename or delete it; your files are not overwritten.",
        )
    make_folder(records.path)
    lock, begun = records.path / LOCK, time.monotonic()

    def wait() -> None:
        if time.monotonic() - begun > PATIENCE_S:
            raise ResourceError(f"{owner(lock)} is writing {page}", "Run the command again.")

    with locked(lock, wait):
        folder.remove_unfinished(lambda name: name == PAGE)
        records.remove_unfinished(lambda name: _RECORD.fullmatch(name) is not None)
        content = {"software": _SOFTWARE, "format": FORMAT} | section.model_dump(mode="json")
        records.write_json(f"{section.key}.json", content)
        sections, notes = read_sections(records.path)
        kept = _kept(records, sections)
        folder.write_bytes(PAGE, marked(page_of(run.name, kept, notes).encode(), Mark.INSIDE_PAGE))
    return page, notes


def read_sections(folder: Path) -> tuple[list[Section], list[str]]:
    """Return the sections in a folder of records, newest first, and a note per other file."""
    sections, notes = [], []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            if not _RECORD.fullmatch(path.name):
                raise ValueError("it has no name that ganzfeld writes here")
            sections.append(_read(path))
        except (OSError, ValueError) as error:
            notes.append(f"left out {printable(str(path))}: {_reason(error)}")
    return sorted(sections, key=lambda entry: entry.time, reverse=True), notes


def _read(path: Path) -> Section:
    content = strict_json(read_regular(path, LARGEST_RECORD))
    if not isinstance(content, dict) or content.pop("software", None) != _SOFTWARE:
        raise ValueError("ganzfeld did not write it")
    if content.pop("format", None) != FORMAT:
        raise ValueError("another version of ganzfeld wrote it")
    section = Section.model_validate(content)
    if path.stem != section.key:
        raise ValueError("its content does not belong to its name")
    return section


def _reason(error: OSError | ValueError) -> str:
    """Return in a few words why a record cannot be read."""
    if isinstance(error, ValidationError):
        mistake = error.errors()[0]
        return f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg'].removeprefix('Value error, ')}"
    return getattr(error, "strerror", None) or str(error)


def _kept(records: OwnFolder, sections: list[Section]) -> list[Section]:
    """Return the newest sections up to the limits, and remove the records of the others."""
    kept, num_bytes = [], 0
    for section in sections:
        size = sum(len(image.content) for image in section.images)
        if kept and (len(kept) == MOST_SECTIONS or num_bytes + size > MOST_BYTES):
            records.remove(f"{section.key}.json")
            continue
        kept.append(section)
        num_bytes += size
    return kept


def page_of(name: str, sections: list[Section], notes: list[str]) -> str:
    """Return the page of a run of that name with its sections, in this order, and what was left out."""
    template = environment("ganzfeld.inside.page", tidy=True).get_template("inside.html")
    return template.render(name=name, sections=sections, notes=notes, count=counted(len(sections), "section"))
