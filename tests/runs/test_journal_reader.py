"""A journal that grows is read once, and what was put in its place is noticed."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.errors import DamagedError
from ganzfeld.health import diagnose
from ganzfeld.health.thinning import MOST_LOOKS, EntrySelection, thinned
from ganzfeld.own_folder import OwnFolder
from ganzfeld.runs.journal import LONGEST_LINE, cut_journal, read_journal
from ganzfeld.runs.journal_reader import JournalReader, entries_around, last_entry
from tests.health.cases import HEALTHY, case_of, turning


def entry_of(step: int, health: dict | None = None) -> dict:
    entry = {"step": step, "images_seen": 64 * step, "seconds": 0.5 * step, "loss_generator": 0.7}
    return entry | ({} if health is None else {"health": health})


def lines_of(steps, every: int = 3) -> bytes:
    entries = [entry_of(step, {"diversity": step / 1000} if step % every == 0 else None) for step in steps]
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


def looks_of(path) -> list:
    """What a verdict goes by, of a journal that is read as a whole."""
    entries = read_journal(path)
    return [*(entry for entry in entries[:-1] if entry.get("health")), *entries[-1:]]


@given(cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_read_in_pieces_it_says_what_it_says_as_a_whole(tmp_path_factory, cuts):
    path = tmp_path_factory.mktemp("run") / "journal.jsonl"
    content = lines_of(range(1, 25)) + b'\n{"images_seen": 10000}\n{"images_seen": 20'
    reader, written = JournalReader(path), 0
    assert reader.read() == []
    for cut in [*sorted(cuts), len(content)]:
        with path.open("ab") as file:
            file.write(content[written:cut])
        written = max(written, cut)
        assert reader.read() == looks_of(path)
    assert reader.read() == looks_of(path)


@pytest.mark.parametrize("most", [4, 16])
def test_what_is_kept_does_not_grow(tmp_path, most):
    path = tmp_path / "journal.jsonl"
    reader = JournalReader(path, most)
    for begin in range(1, 500, 50):
        with path.open("ab") as file:
            file.write(lines_of(range(begin, begin + 50), every=2))
        kept = reader.read()
        assert most / 4 <= len(kept) <= most + 1
        assert kept == [*thinned(looks_of(path)[:-1], most), looks_of(path)[-1]]


@pytest.mark.parametrize(
    "what", ["cut", "replaced", "replaced in place", "rewritten", "a line removed", "gone"]
)
def test_another_content_is_noticed(tmp_path, what):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(lines_of(range(1, 100)))
    reader = JournalReader(path)
    reader.read()
    match what:
        case "cut":
            cut_journal(OwnFolder(tmp_path), 64 * 40)
        case "replaced":
            path.replace(tmp_path / "old")
            path.write_bytes(lines_of(range(1, 200, 2)))
        case "in place":
            path.write_bytes(lines_of(range(1, 300, 2)))
        case "rewritten":
            path.write_bytes(lines_of(range(1, 40)) + lines_of(range(40, 300), every=5))
        case "a line removed":
            lines = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join(lines[:50] + lines[51:]) + lines_of(range(100, 120)))
        case _:
            path.unlink()
    assert reader.read() == looks_of(path)


def test_a_damaged_line_is_told_until_it_is_gone(tmp_path):
    path = tmp_path / "journal.jsonl"
    good = lines_of(range(1, 6))
    path.write_bytes(good)
    reader = JournalReader(path)
    reader.read()
    for wrong in (b'{"health": no entry}\n', b"1" * (LONGEST_LINE + 1)):
        path.write_bytes(good + wrong + lines_of([7]))
        for _ in range(2):
            with pytest.raises(DamagedError, match="line 6 is"):
                reader.read()
    path.write_bytes(good + lines_of([6, 7]))
    assert reader.read() == looks_of(path)


@pytest.mark.parametrize("num", [1, 5, 5000])
@pytest.mark.parametrize("end", [b"", b"\n\n", b'{"images_seen": 1'])
def test_a_place_is_found_without_reading_all(tmp_path, num, end):
    path = tmp_path / "journal.jsonl"
    assert last_entry(path) is None and entries_around(path, 5) == (None, None)
    content = lines_of(range(1, num + 1)) + end
    path.write_bytes(content)
    entries = read_journal(path)
    assert last_entry(path) == entries[-1]
    for images in {0, 63, 64, 65, 32 * num, 64 * num - 1, 64 * num, 64 * num + 1}:
        before = [entry for entry in entries if entry["images_seen"] <= images]
        after = [entry for entry in entries if entry["images_seen"] > images]
        assert entries_around(path, images) == (before[-1] if before else None, after[0] if after else None)
    if num == 5000:
        assert len(content) > 2**18
        with path.open("r+b") as file:
            file.seek(len(content) // 3)
            file.write(b"\nx\n")
        assert entries_around(path, 64 * 4000)[0] == entries[3999], "most lines are not looked at"


def test_of_very_many_looks_an_even_selection_is_kept():
    looks = [
        entry_of(step, {"diversity": 0.5} | ({"kernel_distance": 1.0} if step % 8 == 0 else {}))
        for step in range(1, 8000)
    ]
    kept = thinned(looks)
    judged = [entry for entry in kept if "kernel_distance" in entry["health"]]
    assert len(judged) == 999, "rare ones are all there"
    others = [entry["step"] for entry in kept if "kernel_distance" not in entry["health"]]
    assert MOST_LOOKS / 2 <= len(others) <= MOST_LOOKS and others == sorted(others)
    assert max(b - a for a, b in pairwise(others)) < 40
    assert thinned(kept) == kept
    some = thinned([entry for entry in looks if entry["step"] % 4 == 1])
    assert some, "readings at every fourth look alone are thinned like the others"
    same = EntrySelection(8)
    for _ in range(100):
        same.add(entry_of(5, {"diversity": 0.5}))
    assert len(same.entries) <= 8


def test_a_verdict_on_very_many_looks():
    turned = case_of({"diversity": turning(0.1, 12_000, 8_000)})
    assert [each.name for each in diagnose(turned).findings] == ["mode-collapse"]
    assert diagnose(case_of({"diversity": [HEALTHY] * 20_000})).findings == ()
