"""``ganzfeld check`` and ``ganzfeld cache``, run as a user runs them."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from ganzfeld.cli import main
from tests.data.making import encoded, fill, noise


class Run(Protocol):
    """Runs a command and returns what it printed; the exit code must be the one expected."""

    def __call__(self, *arguments: str | Path, code: int = 0) -> str: ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str | Path, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.err
        return printed.out

    return run


RunJson = Callable[..., dict[str, Any]]


@pytest.fixture
def run_json(run: Run) -> RunJson:
    return lambda *arguments, code=0: json.loads(run(*arguments, "--json", code=code))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four images, two of them the same, and one that is none."""
    root = fill(tmp_path / "photos", 3)
    (root / "copy.png").write_bytes((root / "00000.png").read_bytes())
    (root / "bad.png").write_bytes(b"no image")
    return root


def test_text(photos: Path, tmp_path: Path, run: Run):
    shown = run("check", photos, "--size", "16", "--sheet", tmp_path / "sheet.png")
    assert "4 usable, 1 not" in shown
    assert "bad.png: not an image" in shown
    assert "1 group, 1 image more than needed" in shown
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_json(photos: Path, run_json: RunJson):
    result = run_json("check", photos, "--size", "24x16")
    assert result["usable"] == 4 and result["channels"] == 3 and result["size"] == [24, 16]
    assert [Path(each["path"]).name for each in result["unusable"]] == ["bad.png"]
    assert [sorted(map(os.path.basename, group["paths"])) for group in result["duplicates"]] == [
        ["00000.png", "copy.png"]
    ]
    assert {"disk_bytes", "memory_bytes", "decode_seconds", "warnings", "kept_pixels"} <= result.keys()


def test_json_has_all_options_of_reading(photos: Path, run_json: RunJson):
    table = photos.parent / "labels.csv"
    table.write_text(
        "".join(f"{path.name},{number % 2}\n" for number, path in enumerate(photos.rglob("*.png")))
    )
    usual, given = (
        run_json("check", photos, *options)
        for options in ((), ("--alpha", "none", "--frames", "2", "--labels", table, "--range", "0:200"))
    )
    names = ("channels", "background", "range", "alpha", "frames", "labels")
    assert [usual[name] for name in names] == [3, "#ffffff", None, None, "first", None]
    assert [given[name] for name in names] == [3, "#ffffff", "0:200", "none", "2", str(table)]


def test_it_ends_with_the_command_that_measures_time_and_memory(photos: Path, run: Run, run_json: RunJson):
    command = f"ganzfeld train {photos} --size 24x16 --max-bad 0.75 --dry-run"
    options = ("--size", "24x16", "--max-bad", "0.75")
    assert run("check", photos, *options).splitlines()[-1].endswith(f": {command}")
    assert run_json("check", photos, *options)["dry_run"] == command
    measured = run_json(
        *shlex.split(command)[1:], "--set", "generator.width=4", "--set", "discriminator.width=4"
    )
    assert measured["seconds"] > 0 and measured["memory_bytes"] > 0


def test_a_single_image_is_refused_with_its_folder(photos: Path, run_json: RunJson):
    refused = run_json("check", photos / "00000.png", code=3)
    assert "is a single image" in refused["error"] and refused["hint"].endswith(str(photos))


def test_a_refusal_names_whole_reasons(tmp_path: Path, run_json: RunJson):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    refused = run_json("train", tmp_path, code=3)["error"]
    assert refused.count("not an image in a known format (PNG, JPEG, WEBP") == 3
    assert refused.endswith("AVIF); ...)")


def test_what_training_would_refuse_ends_with_3_and_is_still_reported(tmp_path: Path, run_json: RunJson):
    fill(tmp_path, 1)
    for number in range(3):
        (tmp_path / f"bad{number}.png").write_bytes(b"no image")
    result = run_json("check", tmp_path, code=3)
    assert result["usable"] == 1 and len(result["unusable"]) == 3 and "3 of 4" in result["refused"]
    assert run_json("check", tmp_path, "--max-bad", "0.75")["refused"] is None


def test_nothing_there_ends_with_3(tmp_path: Path, run_json: RunJson):
    result = run_json("check", tmp_path / "missing", code=3)
    assert "missing" in result["error"]
    assert "no images" in run_json("check", tmp_path, code=3)["error"]


def test_verify_finds_a_silent_flip(photos: Path, run: Run, run_json: RunJson):
    assert run_json("check", photos, "--verify")["verification"]["first_time"]
    assert run_json("check", photos, "--verify")["verification"] == {
        "read": 5,
        "first_time": False,
        "changed": [],
        "missing": [],
        "new": [],
    }
    file = photos / "00001.png"
    before, content = file.stat(), bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = run_json("check", photos, "--verify", code=3)["verification"]
    assert [each["path"] for each in found["changed"]] == [str(file)]
    assert "00001.png: its content changed, but not" in run("check", photos, "--verify", code=3)


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_any_name_can_be_shown(tmp_path: Path, run: Run, run_json: RunJson):
    (tmp_path / os.fsdecode(b"\xff\x1b[31m\n.png")).write_bytes(b"no image")
    fill(tmp_path, 2)
    assert "\x1b" not in run("check", tmp_path)
    assert len(run_json("check", tmp_path)["unusable"]) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_names_that_are_no_text_are_told_from_those_that_spell_their_escapes(
    tmp_path: Path, run_json: RunJson
):
    names = [b"\xff.png", rb"\udcff.png"]
    folder = os.fsencode(tmp_path)
    for name in names:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"no image")
        Path(os.fsdecode(folder + b"/good" + name)).write_bytes(encoded(noise(16, 16)))
    result = run_json("check", tmp_path)
    first, second = sorted(result["unusable"], key=len)
    assert first["path"] == second["path"] and "path_hex" not in first
    assert bytes.fromhex(second["path_hex"]) == folder + b"/" + names[0]
    (group,) = result["duplicates"]
    assert len(group["paths"]) == 2
    assert [bytes.fromhex(each) for each in group["paths_hex"]] == [folder + b"/good" + names[0]]


@pytest.mark.parametrize("given", ["--size x", "--size 8x8x8", "--size 4", "--max-bad 2"])
def test_what_cannot_be_meant_ends_with_2(photos: Path, given: str, run: Run):
    run("check", photos, *given.split(), code=2)


def test_without_a_usable_image_everything_is_still_told(tmp_path: Path, run: Run, run_json: RunJson):
    (tmp_path / "a.png").write_bytes(b"no image")
    result = run_json("check", tmp_path, "--sheet", tmp_path / "sheet", code=3)
    assert result["usable"] == 0 and len(result["unusable"]) == 1 and result["sizes"] == {}
    assert "1 of 1" in result["refused"] and not (tmp_path / "sheet").exists()
    shown = run("check", tmp_path, code=3)
    assert "no image is usable" in shown and "trained on" not in shown and "--max-bad" not in shown


def test_sizes_are_told_by_how_many_have_them(tmp_path: Path, run: Run, run_json: RunJson):
    for number, side in enumerate((12, 20, 20, 16, 16, 16, 24, 28)):
        (tmp_path / f"{number}.png").write_bytes(encoded(noise(side, side, seed=number)))
    shown = run("check", tmp_path, "--size", "12")
    assert "16x16 (3), 20x20 (2), 12x12 (1), 24x24 (1) and 1 more; from 12x12 to 28x28" in shown
    assert list(run_json("check", tmp_path, "--size", "12")["sizes"])[:2] == ["16x16", "20x20"]


def test_copies_are_counted_in_groups_that_also_hold_what_is_only_alike(tmp_path: Path, run: Run):
    fill(tmp_path, 4)
    (tmp_path / "copy.png").write_bytes((tmp_path / "00000.png").read_bytes())
    (tmp_path / "alike.bmp").write_bytes(encoded(noise(16, 16, seed=0), "BMP"))
    assert "2 images (1 as the same file)" in run("check", tmp_path, "--size", "16")


def test_grey_is_told(tmp_path: Path, run_json: RunJson):
    (tmp_path / "0.png").write_bytes(encoded(noise(16, 16, 1)))
    assert run_json("check", tmp_path)["channels"] == 1
    assert run_json("check", tmp_path, "--channels", "3")["channels"] == 3


def test_the_cache_is_listed_and_pruned(photos: Path, run: Run, run_json: RunJson):
    run("check", photos)
    listed = run_json("cache", "list")
    assert [each["name"] for each in listed["sets"]] == ["photos"] and listed["disk_bytes"] > 0
    headings, row, total = run("cache", "list").splitlines()
    assert row.index("photos ") == headings.index("name") and row.index(str(photos)) == headings.index("from")
    assert total.startswith("1 dataset,")
    assert run_json("cache", "prune")["removed"] == []
    assert "only unfinished datasets are removed" in run("cache", "prune")
    assert "unfinished" not in run("cache", "prune", "--days", "9")
    assert run_json("cache", "prune", "--days", "1")["removed"] == []
    assert len(run_json("cache", "prune", "--all")["removed"]) == 1
    assert run_json("cache", "list")["sets"] == []
    run("cache", "prune", "--days", "-1", code=2)


def test_what_is_unfinished_is_listed_with_its_source(
    photos: Path, monkeypatch: pytest.MonkeyPatch, run: Run, run_json: RunJson
):
    monkeypatch.setattr(
        "ganzfeld.data.ingest.ingest.finalize", lambda *_: sys.exit(9)
    )  # as if it were killed at the end
    run("check", photos, code=9)
    (left,) = run_json("cache", "list")["sets"]
    assert not left["complete"] and left["seen_at"] == [str(photos)]
    assert run("cache", "list").splitlines()[1].endswith(f"unfinished            {photos}")


def test_it_starts_without_torch(photos: Path, run: Run):
    code = "import sys; from ganzfeld.cli import main; sys.argv[1:] = ['check', sys.argv[1]]\n"
    code += "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, photos], check=True, capture_output=True)
