"""Journals as they come: of very long runs, and of somebody who wants the reader to break."""

import json
import os
from pathlib import Path

import pytest

from ganzfeld.errors import DamagedError
from ganzfeld.own_folder import OwnFolder
from ganzfeld.runs import journal as reading
from ganzfeld.runs.journal import cut_journal, every, read_journal

GOOD = {"step": 1, "images_seen": 8, "seconds": 0.5, "loss_generator": 1.0}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    "entry",
    [
        GOOD,
        {"images_seen": 8},
        GOOD | {"loss_generator": None, "health": {"diversity": None, "features_sha256": "ab"}},
        GOOD | {"health": None},
        GOOD | {"loss_generator": 3.4e38, "later": 2**62},
    ],
)
def test_what_was_written_is_read(tmp_path, entry):
    assert read_journal(written(tmp_path / "journal.jsonl", entry, entry)) == [entry, entry]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD | {"health": 3}, "health is 3, not an object"),
        (GOOD | {"health": [1]}, "not an object"),
        (GOOD | {"health": {"diversity": {"a": 1}}}, "diversity is"),
        (GOOD | {"health": {"diversity": 1e200}}, "diversity is"),
        (GOOD | {"seconds": "soon"}, "seconds is"),
        (GOOD | {"seconds": None}, "seconds is null"),
        (GOOD | {"seconds": -1.0}, "seconds is -1.0"),
        (GOOD | {"images_seen": True}, "images_seen is true"),
        (GOOD | {"images_seen": -8}, "images_seen is -8"),
        (GOOD | {"step": 1.5}, "step is 1.5"),
        (GOOD | {"loss_generator": "high"}, "loss_generator is"),
        (GOOD | {"loss_generator": [1.0]}, "loss_generator is"),
        ({"step": 3}, "no images_seen"),
        ([1], "not an object"),
        ('{"images_seen": 1, "seconds": ' + "9" * 55 + "}", "more than 64 bits"),
        ('{"images_seen": 8, "loss_generator": NaN}', "NaN is not"),
        ('{"images_seen": 8, "seconds": 1e999}', "too large"),
        ('{"images_seen": 8, "images_seen": 9}', "occurs twice"),
        ('{"images_seen": 8, "a": ' + "[" * 500 + "]" * 500 + "}", "deep"),
        ("{broken", "line 2"),
        ('{"images_seen": 8, "a": "\\ud800"}', "surrogate"),
    ],
)
def test_what_nobody_wrote_is_refused_with_its_line(tmp_path, line, words):
    path = written(tmp_path / "journal.jsonl", GOOD, line, GOOD)
    for read in (read_journal, lambda path: cut_journal(OwnFolder(path.parent), 100)):
        before = path.read_bytes()
        with pytest.raises(DamagedError, match="line 2") as caught:
            read(path)
        assert words in caught.value.message and str(path) in caught.value.message
        assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless line", "larger than any"])
def test_what_is_no_journal_is_refused_at_once(tmp_path, kind, monkeypatch):
    path = tmp_path / "journal.jsonl"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            with path.open("wb") as file:
                file.truncate(2**31 if kind == "endless line" else reading.LARGEST + 1)
    with pytest.raises(DamagedError):
        read_journal(path)


def test_of_a_very_long_one_an_even_selection_is_read(tmp_path):
    """Readings and losses each have their share, and the last entry is there."""
    entries = [
        GOOD | {"step": n, "images_seen": 8 * n} | ({"health": {"diversity": 0.5}} if n % 10 == 0 else {})
        for n in range(1, 1_002)
    ]
    path = written(tmp_path / "journal.jsonl", *entries)
    assert every(path) == 1 and read_journal(path) == entries
    most_bytes = path.stat().st_size // 4
    some = read_journal(path, most_bytes)
    assert every(path, most_bytes) == 5
    assert len(some) == pytest.approx(len(entries) / 5, abs=3)
    assert sum("health" in entry for entry in some) == 20
    assert some[0] == entries[0] and some[-1] == entries[-1]
    cut_journal(OwnFolder(tmp_path), 4_000)
    assert read_journal(path) == entries[:500], "to cut it costs no line of those that stay"


def test_a_cut_keeps_lines_as_they_are(tmp_path):
    lines = ['{"images_seen":8,   "x": 1.50}\n', '{"images_seen": 16}\n', '{"images_seen": 24, "st']
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(lines))
    cut_journal(OwnFolder(tmp_path), 16)
    assert path.read_text() == "".join(lines[:2])
    path.write_text(lines[0].strip())
    cut_journal(OwnFolder(tmp_path), 16)
    assert path.read_text() == lines[0], "with an end, or the next entry would stand on the same line"
    path.unlink()
    cut_journal(OwnFolder(tmp_path), 16)
    assert not path.exists()
