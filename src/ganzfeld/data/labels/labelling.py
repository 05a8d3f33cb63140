"""Labels from a table: which column names the images, which holds the labels, and what could not be matched.

Both are decided by evidence and told in one line. What is ambiguous is not guessed.
"""

import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ganzfeld.data.labels.names import (
    AMBIGUOUS,
    Naming,
    columns,
    found_once,
    index_by_key,
    looks_like_a_file,
    namings,
)
from ganzfeld.data.labels.table import DELIMITERS, EXPECTED, LabelTable
from ganzfeld.errors import DataError
from ganzfeld.printable import counted, listed, printable

_MOST_ROWS, _MOST_CELLS, _MOST_COLUMNS = 20_000, 200_000, 1_000
_NUM_EXAMPLES = 3
_LONGEST_LABEL = 255
_WHOLE = re.compile(r"[+]?\d+\.0+")
_LABEL_HEADINGS = (  # the surest first
    ("label", "labels", "class", "classes", "category", "target", "y"),
    ("class_name", "classname", "label_name", "labelname", "class_label", "category_name"),
    ("class_id", "classid", "label_id", "category_id", "class_index", "label_index", "target_class"),
    ("species", "breed", "kind", "type", "tag", "tags", "diagnosis", "dx", "group"),
)


class Layout(NamedTuple):
    """How a table is read: where names and labels are, and how names mean images."""

    delimiter: str
    header: list[str] | None
    names: int
    labels: int
    naming: Naming

    @property
    def told(self) -> str:
        """The layout in words."""
        spelled = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
        first_row = "a header" if self.header else "no header"
        return (
            f"names in {self._column(self.names)}{self.naming.told}, labels in {self._column(self.labels)}, "
            f"{first_row}, divided by {spelled[self.delimiter]}"
        )

    def _column(self, number: int) -> str:
        heading = self.header[number] if self.header and number < len(self.header) else ""
        return f"column {number + 1}" + (f" ({printable(heading, 60)})" if heading else "")


@dataclass
class Labelling:
    """The label of every image by position, ``""`` for none, with what is to be told of them."""

    labels: list[str]
    note: str
    problems: list[str] = field(default_factory=list)

    def of_usable(self, names: Iterable[str]) -> list[str]:
        """Return the labels of these images, ``""`` where a name is empty, and count those without."""
        labels = [label if name else "" for label, name in zip(self.labels, names, strict=True)]
        without = sum(1 for label, name in zip(labels, names, strict=True) if name and not label)
        if without:
            self.problems.append(f"{counted(without, 'image')} without a label")
        return labels


class _Files:
    """The names of files among those of images: of frames that follow one another, the one of their file."""

    def __init__(self, images: Iterable[str]) -> None:
        self._images = images

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in itertools.groupby(self._images))

    def spread(self, labels: list[str]) -> Iterator[str]:
        """Yield the label of every image, given those of the files."""
        groups = zip(labels, itertools.groupby(self._images), strict=True)
        return (label for label, (_, frames) in groups for _ in frames)


def label_images(table: LabelTable, images: Iterable[str]) -> Labelling:
    """Find the label of every image; ``images`` are their names, and can be gone through many times.

    Images of one name that follow one another are frames of one file, and have one label.
    Raises ``DataError`` with what was expected if it cannot be told which columns are meant.
    """
    files = _Files(images)
    layout = _layout(table, files)
    index = index_by_key(layout.naming, files)
    labels = [""] * sum(1 for _ in files)
    unknown, ambiguous, several = Counter[str](), Counter[str](), set[int]()
    rows = itertools.islice(table.rows(layout.delimiter), 1 if layout.header else 0, None)
    num_unknown = num_ambiguous = num_long = num_empty = 0
    for row in rows:
        name = row[layout.names] if layout.names < len(row) else ""
        label = row[layout.labels] if layout.labels < len(row) else ""
        position = index.get(layout.naming.key(name))
        if position is None:
            num_unknown += 1
            _remember(unknown, name)
        elif position == AMBIGUOUS:
            num_ambiguous += 1
            _remember(ambiguous, name)
        elif len(label) > _LONGEST_LABEL:
            num_long += 1
        elif label and labels[position] not in ("", label):
            several.add(position)
        elif label:
            labels[position] = sys.intern(label)
        else:
            num_empty += 1
    for position in several:
        labels[position] = ""
    _without_fractions(labels)
    problems = [
        _problem(num_unknown, "names no image", "name no image", unknown),
        _problem(num_ambiguous, "names more than one image", "name more than one image", ambiguous),
        f"{counted(len(several), 'image')} with several different labels, so with none" * bool(several),
        f"{counted(num_long, 'label')} of more than {_LONGEST_LABEL} characters" * bool(num_long),
    ]
    latin = ", not UTF-8 and so read as Latin-1" if table.encoding == "latin-1" else ""
    found = [problem for problem in problems if problem]
    if not any(labels):
        found += [f"{counted(num_empty, 'row')} with an empty label"] * bool(num_empty)
        raise DataError(f"{table.shown} has no label for any image: {'; '.join(found)}", EXPECTED)
    labels = list(files.spread(labels))
    return Labelling(labels, f"{table.shown}: {layout.told}{latin}", found)


def _remember(examples: Counter[str], name: str) -> None:
    if len(examples) < _NUM_EXAMPLES:
        examples[name] += 1


def _problem(number: int, one: str, many: str, examples: Counter[str]) -> str:
    if not number:
        return ""
    shown = listed([f"{name!r}" for name in examples])
    return f"{counted(number, 'row')} {one if number == 1 else many}, such as {shown}"


def _without_fractions(labels: list[str]) -> None:
    """Write 3.0 as 3 if all labels are such: a table that once lacked a number holds floats."""
    if all(not label or _WHOLE.fullmatch(label) for label in labels):
        labels[:] = [sys.intern(label.split(".")[0].removeprefix("+")) for label in labels]


def _layout(table: LabelTable, images: Iterable[str]) -> Layout:
    """Decide how the table is read: by the column and the delimiter with the most names of images."""
    best: tuple[int, str, int, Naming, list[list[str]], set[str]] | None = None
    for delimiter in DELIMITERS:
        rows = _some_rows(table, delimiter)
        if sum(len(row) > 1 for row in rows) * 2 < len(rows):
            continue
        for column, way, keys in _matches(rows, images):
            number = sum(1 for row in rows if len(row) > column and way.key(row[column]) in keys)
            if number and (best is None or number > best[0]):
                best = number, delimiter, column, way, rows, keys
    if best is None:
        raise _nothing_matches(table, images)
    _, delimiter, names, way, rows, keys = best
    first = rows[0][names] if names < len(rows[0]) else ""
    has_header = way.key(first) not in keys and not looks_like_a_file(first)
    header = rows[0] if has_header else None
    return Layout(delimiter, header, names, _label_column(table, rows, header, names), way)


def _some_rows(table: LabelTable, delimiter: str) -> list[list[str]]:
    """Return rows from the beginning, fewer where they are wide."""
    first = table.first_rows(delimiter, 1)
    width = len(first[0]) if first else 1
    if width > _MOST_COLUMNS:
        return []
    return table.first_rows(delimiter, min(_MOST_ROWS, max(1, _MOST_CELLS // width)))


def _matches(rows: list[list[str]], images: Iterable[str]) -> list[tuple[int, Naming, set[str]]]:
    """Return the best way to compare for each column, with the keys that mean one image."""
    cells = list(columns(rows))
    ways = namings(images)
    once = found_once(ways, images, {cell for column in cells for cell in column if cell})
    found = []
    for number, column in enumerate(cells):
        counts = {way: sum(way.key(cell) in once[way] for cell in column) for way in ways}
        way = max(ways, key=lambda way: counts[way])  # the first of equals: the strictest
        found.append((counts[way], number, way, once[way]))
    ranked = sorted(found, key=lambda each: (-each[0], each[1]))
    return [(number, way, keys) for count, number, way, keys in ranked if count]


def _label_column(table: LabelTable, rows: list[list[str]], header: list[str] | None, names: int) -> int:
    """Decide which column holds the labels: the only other one, one that says so, or the one that repeats."""
    others = [number for number in range(max(map(len, rows))) if number != names]
    if len(others) == 1:
        return others[0]
    headings = [re.sub(r"[\s-]+", "_", heading.strip().casefold()) for heading in header or []]
    for words in _LABEL_HEADINGS:
        named = [number for number in others if number < len(headings) and headings[number] in words]
        if len(named) == 1:
            return named[0]
        if named:
            break
    else:
        repeating = [number for number in others if _repeats(rows[1:] if header else rows, number)]
        if not header and len(repeating) == 1:
            return repeating[0]
    shown = listed(
        [heading or f"column {number + 1}" for number, heading in enumerate(header or rows[0])], 12
    )
    what = "its columns are" if header else "its first row is"
    raise DataError(
        f"{table.shown} does not tell which column holds the labels: {what} {shown}",
        "Leave the two columns that are meant, or call one of them label.",
    )


def _repeats(rows: list[list[str]], column: int) -> bool:
    """Whether the values of a column come at least twice on average."""
    values = [row[column] for row in rows if column < len(row) and row[column]]
    return len(values) >= 2 * len(set(values)) > 0


def _nothing_matches(table: LabelTable, images: Iterable[str]) -> DataError:
    there = listed([f"{name!r}" for name in itertools.islice(images, 2)])
    first = next(
        (row for delimiter in DELIMITERS for row in table.first_rows(delimiter, 1) if len(row) > 1), []
    )
    row = f"; its first row is {listed(first, 6)}" if first else "; it has a single column"
    return DataError(f"no row of {table.shown} names one of the images, such as {there}{row}", EXPECTED)
