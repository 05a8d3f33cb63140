"""Match the labels in a table with images: find the columns of names and labels, and report what fails.

The columns are chosen by evidence and reported in one line. Ambiguous tables are refused, not guessed at.
"""

import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ganzfeld.data.labels.names import (
    AMBIGUOUS,
    MatchingRule,
    columns,
    index_by_key,
    looks_like_a_file,
    matching_rules,
    unique_keys,
)
from ganzfeld.data.labels.table import DELIMITERS, EXPECTED, LabelTable
from ganzfeld.errors import DataError
from ganzfeld.printable import counted, listed, printable

_MOST_ROWS, _MOST_CELLS, _MOST_COLUMNS = 20_000, 200_000, 1_000
_NUM_EXAMPLES = 3
_LONGEST_LABEL = 255
_WHOLE = re.compile(r"[+]?\d+\.0+")
_LABEL_HEADINGS = (  # the most certain first
    ("label", "labels", "class", "classes", "category", "target", "y"),
    ("class_name", "classname", "label_name", "labelname", "class_label", "category_name"),
    ("class_id", "classid", "label_id", "category_id", "class_index", "label_index", "target_class"),
    ("species", "breed", "kind", "type", "tag", "tags", "diagnosis", "dx", "group"),
)


class Layout(NamedTuple):
    """How a table is read: its columns of names and labels, and how names are matched with images."""

    delimiter: str
    header: list[str] | None
    names: int
    labels: int
    rule: MatchingRule

    @property
    def description(self) -> str:
        """The layout in words."""
        delimiters = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
        first_row = "a header" if self.header else "no header"
        return (
            f"names in {self._column(self.names)}{self.rule.description}, "
            f"labels in {self._column(self.labels)}, {first_row}, separated by {delimiters[self.delimiter]}"
        )

    def _column(self, number: int) -> str:
        heading = self.header[number] if self.header and number < len(self.header) else ""
        return f"column {number + 1}" + (f" ({printable(heading, 60)})" if heading else "")


@dataclass
class Labelling:
    """The label of every image by position (``""`` for none), with a note and problems for the user."""

    labels: list[str]
    note: str
    problems: list[str] = field(default_factory=list)

    def of_usable(self, names: Iterable[str]) -> list[str]:
        """Return the labels of usable images, ``""`` for empty names; record how many images have none."""
        labels = [label if name else "" for label, name in zip(self.labels, names, strict=True)]
        without = sum(1 for label, name in zip(labels, names, strict=True) if name and not label)
        if without:
            self.problems.append(f"{counted(without, 'image')} without a label")
        return labels


class _Files:
    """The names of files, from those of images: consecutive frames of a file count once."""

    def __init__(self, images: Iterable[str]) -> None:
        self._images = images

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in itertools.groupby(self._images))

    def spread(self, labels: list[str]) -> Iterator[str]:
        """Yield the label of every image, given the labels of the files."""
        groups = zip(labels, itertools.groupby(self._images), strict=True)
        return (label for label, (_, frames) in groups for _ in frames)


def label_images(table: LabelTable, images: Iterable[str]) -> Labelling:
    """Find the label of every image; ``images`` are their names, and can be iterated over many times.

    Consecutive images of the same name are frames of one file, and have one label. Raises ``DataError``,
    with what was expected, if the columns cannot be identified or no image gets a label.
    """
    files = _Files(images)
    layout = _find_layout(table, files)
    index = index_by_key(layout.rule, files)
    labels = [""] * sum(1 for _ in files)
    problems = _RowProblems()
    for row in itertools.islice(table.rows(layout.delimiter), 1 if layout.header else 0, None):
        name = row[layout.names] if layout.names < len(row) else ""
        label = row[layout.labels] if layout.labels < len(row) else ""
        position = index.get(layout.rule.key(name))
        if position is None:
            problems.unknown.add(name)
        elif position == AMBIGUOUS:
            problems.ambiguous.add(name)
        elif len(label) > _LONGEST_LABEL:
            problems.num_long += 1
        elif label and labels[position] not in ("", label):
            problems.conflicting.add(position)
        elif label:
            labels[position] = sys.intern(label)
        else:
            problems.num_empty += 1
    for position in problems.conflicting:
        labels[position] = ""
    labels = _without_fractions(labels)
    latin = ", not UTF-8 and therefore read as Latin-1" if table.encoding == "latin-1" else ""
    messages = problems.messages()
    if not any(labels):
        messages += [f"{counted(problems.num_empty, 'row')} with an empty label"] * bool(problems.num_empty)
        raise DataError(f"{table.shown} has no label for any image: {'; '.join(messages)}", EXPECTED)
    labels = list(files.spread(labels))
    return Labelling(labels, f"{table.shown}: {layout.description}{latin}", messages)


class _Examples:
    """Counts rows with the same problem, and keeps the first few different names in them as examples."""

    def __init__(self) -> None:
        self.number = 0
        self._names: dict[str, None] = {}  # a set that keeps its order

    def add(self, name: str) -> None:
        self.number += 1
        if len(self._names) < _NUM_EXAMPLES:
            self._names[name] = None

    def message(self, singular: str, plural: str) -> str:
        """Return the problem in words, ``""`` if there is none."""
        if not self.number:
            return ""
        shown = listed([f"{name!r}" for name in self._names])
        return f"{counted(self.number, 'row')} {singular if self.number == 1 else plural}, such as {shown}"


@dataclass
class _RowProblems:
    """The rows of a table that give no image a label."""

    unknown: _Examples = field(default_factory=_Examples)
    ambiguous: _Examples = field(default_factory=_Examples)
    conflicting: set[int] = field(default_factory=set)
    num_long: int = 0
    num_empty: int = 0

    def messages(self) -> list[str]:
        """Return the problems in words, except empty labels."""
        conflicting = counted(len(self.conflicting), "image")
        messages = [
            self.unknown.message("names no image", "name no image"),
            self.ambiguous.message("names more than one image", "name more than one image"),
            f"{conflicting} with several different labels, so without any" * bool(self.conflicting),
            f"{counted(self.num_long, 'label')} of more than {_LONGEST_LABEL} characters"
            * bool(self.num_long),
        ]
        return [message for message in messages if message]


def _without_fractions(labels: list[str]) -> list[str]:
    """Write 3.0 as 3 if all labels look like that: a column with missing numbers is saved as floats."""
    if all(not label or _WHOLE.fullmatch(label) for label in labels):
        return [sys.intern(label.split(".")[0].removeprefix("+")) for label in labels]
    return labels


def _find_layout(table: LabelTable, images: Iterable[str]) -> Layout:
    """Decide how to read the table: with the column and the delimiter that match the most images."""
    best: tuple[int, str, int, MatchingRule, list[list[str]], set[str]] | None = None
    for delimiter in DELIMITERS:
        rows = _sample_rows(table, delimiter)
        if sum(len(row) > 1 for row in rows) * 2 < len(rows):
            continue
        for column, rule, keys in _matches(rows, images):
            if _holds_labels(rows, column):
                continue
            number = sum(1 for row in rows if len(row) > column and rule.key(row[column]) in keys)
            if number and (best is None or number > best[0]):
                best = number, delimiter, column, rule, rows, keys
    if best is None:
        raise _no_match_error(table, images)
    _, delimiter, names, rule, rows, keys = best
    first = rows[0][names] if names < len(rows[0]) else ""
    has_header = rule.key(first) not in keys and not looks_like_a_file(first)
    header = rows[0] if has_header else None
    return Layout(delimiter, header, names, _label_column(table, rows, header, names), rule)


def _sample_rows(table: LabelTable, delimiter: str) -> list[list[str]]:
    """Return the first rows of a table, fewer if they have many cells."""
    first = table.first_rows(delimiter, 1)
    width = len(first[0]) if first else 1
    if width > _MOST_COLUMNS:
        return []
    return table.first_rows(delimiter, min(_MOST_ROWS, max(1, _MOST_CELLS // width)))


def _matches(rows: list[list[str]], images: Iterable[str]) -> list[tuple[int, MatchingRule, set[str]]]:
    """Return for each column the best rule to compare names, with the keys that mean one image each."""
    cells = list(columns(rows))
    rules = matching_rules(images)
    unique = unique_keys(rules, images, {cell for column in cells for cell in column if cell})
    matches = []
    for number, column in enumerate(cells):
        counts = {rule: sum(rule.key(cell) in unique[rule] for cell in column) for rule in rules}
        rule = max(rules, key=lambda rule: counts[rule])  # of equal rules the first, which is the strictest
        matches.append((counts[rule], number, rule, unique[rule]))
    ranked = sorted(matches, key=lambda match: (-match[0], match[1]))
    return [(number, rule, keys) for count, number, rule, keys in ranked if count]


def _holds_labels(rows: list[list[str]], column: int) -> bool:
    """Return whether a column is headed as labels beside one of file names: 1 and 2 do not mean 1.png."""
    if column >= len(rows[0]) or _plain(rows[0][column]) not in _LABEL_HEADINGS[0]:
        return False
    return any(looks_like_a_file(cell) for row in rows[1:] for cell in row[:column] + row[column + 1 :])


def _plain(heading: str) -> str:
    return re.sub(r"[\s-]+", "_", heading.strip().casefold())


def _label_column(table: LabelTable, rows: list[list[str]], header: list[str] | None, names: int) -> int:
    """Choose the column of labels: the only other column, the one named so, or the one with repetitions."""
    others = [number for number in range(max(map(len, rows))) if number != names]
    if len(others) == 1:
        return others[0]
    headings = [_plain(heading) for heading in header or []]
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
        f"the column of labels in {table.shown} is unclear: {what} {shown}",
        "Keep only the column of names and that of labels, or name the latter label.",
    )


def _repeats(rows: list[list[str]], column: int) -> bool:
    """Return whether each value of a column occurs at least twice on average."""
    values = [row[column] for row in rows if column < len(row) and row[column]]
    return len(values) >= 2 * len(set(values)) > 0


def _no_match_error(table: LabelTable, images: Iterable[str]) -> DataError:
    examples = listed([f"{name!r}" for name in itertools.islice(images, 2)])
    first = next(
        (row for delimiter in DELIMITERS for row in table.first_rows(delimiter, 1) if len(row) > 1), []
    )
    row = f"; its first row is {listed(first, 6)}" if first else "; it has a single column"
    return DataError(f"no row of {table.shown} names one of the images, such as {examples}{row}", EXPECTED)
