"""What can happen to the files of a run folder, one kind of damage each; see ``test_mutations.py``.

A damage is a function of the path that it befalls, which is there, and of a folder outside the run, in which
it may put what a link leads to. It returns false where it does not apply.
"""

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Damage = Callable[[Path, Path], bool | None]

HUGE_BYTES = 2**30
DEEP = 100_000
LONG_NUMBER = "9" * 55


def _content(change: Callable[[bytes], bytes]) -> Damage:
    def damage(path: Path, outside: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return damage


def _in_its_place(put: Callable[[Path, Path], object]) -> Damage:
    """Something else is there instead."""

    def damage(path: Path, outside: Path) -> None:
        kept = outside / "kept"
        path.rename(kept)
        put(path, kept)

    return damage


def _flipped(content: bytes) -> bytes:
    changed, draw = bytearray(content), random.Random(len(content))
    for _ in range(5 if content else 0):
        changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _removed(path: Path, outside: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _folder(path: Path, kept: Path) -> None:
    path.mkdir()
    (path / "inner").write_text("something of the user's")


def _to_a_photo(path: Path, kept: Path) -> None:
    path.symlink_to(kept.with_name("photo.png"))


def _second_name(path: Path, outside: Path) -> bool:
    """A hard link: the file has a second name outside."""
    if path.is_file():
        (outside / "second").hardlink_to(path)
    return path.is_file()


def _huge(path: Path, outside: Path) -> None:
    os.truncate(path, HUGE_BYTES)


def _unreadable(path: Path, outside: Path) -> bool:
    path.chmod(0)
    return not os.access(path, os.R_OK)  # for root it stays readable: nothing to try


CONTENT: dict[str, Damage] = {
    "half of it": _content(lambda content: content[: len(content) // 2]),
    "a byte short": _content(lambda content: content[:-1]),
    "empty": _content(lambda content: b""),
    "flipped": _content(_flipped),
    "zeros": _content(lambda content: bytes(len(content))),
    "more at its end": _content(lambda content: content + b"more\n"),
    "a byte order mark": _content(lambda content: b"\xef\xbb\xbf" + content),
    "no UTF-8": _content(lambda content: content[:5] + b"\xff\xfe\xc3" + content[5:]),
    "huge": _huge,
}
"""Damage to what is in a file."""

PLACE: dict[str, Damage] = {
    "missing": _removed,
    "a folder": _in_its_place(_folder),
    "a file": _in_its_place(lambda path, kept: path.write_bytes(b"something of the user's")),
    "a link to it": _in_its_place(lambda path, kept: path.symlink_to(kept)),
    "a link to a photo": _in_its_place(_to_a_photo),
    "a link to a folder": _in_its_place(lambda path, kept: path.symlink_to(kept.parent)),
    "a link to nothing": _in_its_place(lambda path, kept: path.symlink_to(kept.with_name("nothing"))),
    "a link to itself": _in_its_place(lambda path, kept: path.symlink_to(path)),
    "a link without end": _in_its_place(lambda path, kept: path.symlink_to("/dev/zero")),
    "a second name": _second_name,
    "a pipe": _in_its_place(lambda path, kept: os.mkfifo(path)),
    "unreadable": _unreadable,
}
"""Something else in the place of a file or a folder."""


def _text(text: str) -> Damage:
    """The first number of a JSON file, or of a line in the middle of a journal, becomes this text."""

    def damage(path: Path, outside: Path) -> bool:
        lines = path.read_text().splitlines(keepends=True)
        if path.suffix == ".jsonl":
            at = len(lines) // 2
        else:
            lines, at = ["".join(lines)], 0
        marked = json.dumps(_with_mark(json.loads(lines[at])))
        lines[at] = marked.replace(json.dumps(MARK), text) + "\n"
        path.write_text("".join(lines))
        return True

    return damage


MARK = "the place to be changed"


def _with_mark(value: object) -> object:
    """The same with ``MARK`` in the place of its last number."""
    place = [
        where
        for where in leaves(value)
        if isinstance(found := at(value, where), int | float) and not isinstance(found, bool)
    ][-1:]
    return put(value, place[0] if place else (), MARK)


def _twice(path: Path, outside: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    where = len(lines) // 2 if path.suffix == ".jsonl" else 0
    key = next(iter(json.loads(lines[where] if path.suffix == ".jsonl" else "".join(lines))))
    lines[where] = lines[where].replace("{", f'{{"{key}": 7,', 1)
    path.write_text("".join(lines))


JSON: dict[str, Damage] = {
    "not a number": _text("NaN"),
    "infinite": _text("-Infinity"),
    "too large a number": _text("1e999"),
    "55 digits": _text(LONG_NUMBER),
    "5,000 digits": _text("9" * 5_000),
    "a negative number": _text("-1"),
    "half a character": _text('"\\ud800"'),
    "a control character": _text('"\\u001b[31m\\u202e"'),
    "a long string": _text(json.dumps("x" * 10**6)),
    "deep lists": _text("[" * DEEP + "]" * DEEP),
    "deep objects": _text('{"a": ' * DEEP + "1" + "}" * DEEP),
    "a key twice": _twice,
    "a list": _content(lambda content: b"[1, 2]\n"),
    "null": _content(lambda content: b"null\n"),
    "an empty object": _content(lambda content: b"{}\n"),
}
"""Damage to a JSON file that is still, or nearly, JSON."""

STRANGE = (None, True, -1, 0, 10**15, 1e300, 0.5, "", "x", "../../photo.png", [], [[]], {}, {"a": 1})
"""Values in place of the one that is expected."""


def leaves(value: object, above: tuple = ()) -> list[tuple]:
    """The places of all values in a JSON value, outer ones too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, below in inner for place in [(*above, key), *leaves(below, (*above, key))]]


def at(value: Any, place: tuple) -> Any:
    """What is there."""
    for key in place:
        value = value[key]
    return value


def put(value: Any, place: tuple, new: Any) -> Any:
    """The same JSON value with something else at one place."""
    if not place:
        return new
    key, *rest = place
    if isinstance(value, dict):
        return {name: put(below, tuple(rest), new) if name == key else below for name, below in value.items()}
    return [put(below, tuple(rest), new) if index == key else below for index, below in enumerate(value)]


def changed_fields(value: object, seed: str) -> list[tuple[str, object]]:
    """A JSON value with one field after the other replaced or left out: a name for each, and the value.

    Which strange value each field gets is drawn, the same way every time.
    """
    draw, found = random.Random(seed), []
    for place in leaves(value):
        new = draw.choice([each for each in STRANGE if each != at(value, place)])
        found.append((f"{'.'.join(map(str, place))} = {new!r}", put(value, place, new)))
        *above, key = place
        outer = at(value, tuple(above))
        if isinstance(outer, dict):
            rest = {name: below for name, below in outer.items() if name != key}
            found.append((f"no {'.'.join(map(str, place))}", put(value, tuple(above), rest)))
    return found


def outside_of(folder: Path) -> Path:
    """A folder of a user's, outside a run: photos, and files of the names that a run has."""
    outside = Path(tempfile.mkdtemp(prefix="outside-", dir=folder))
    for name in (
        "photo.png",
        "0.png",
        "320.png",
        "999999.png",
        ".x.part",
        "generator.safetensors",
        "card.json",
        "000000000320.safetensors",
        "000000000007.sha256",
    ):
        (outside / name).write_bytes(b"a photo of the user's: " + name.encode())
    return outside
