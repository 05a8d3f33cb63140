"""Files are whole or not there, and what the system refuses is said in words."""

import json
import stat
from pathlib import Path

import pytest

from ganzfeld.durable import make_folder, write_bytes, write_file, write_json
from ganzfeld.errors import ResourceError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "card.json"
    write_json(path, {"a": 1})

    def half(part: Path) -> None:
        part.write_bytes(b"{")
        raise OSError(28, "No space left on device")

    with pytest.raises(ResourceError, match=r"no room left to write .*card\.json"):
        write_file(path, half)
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["card.json"]


def test_a_reader_never_sees_a_part(tmp_path):
    """While the new content is being written, the name still holds the old one."""
    path = tmp_path / "model"
    write_bytes(path, b"old")
    seen = []

    def slow(part: Path) -> None:
        part.write_bytes(b"new")
        seen.append(path.read_bytes())

    write_file(path, slow)
    assert (seen, path.read_bytes()) == ([b"old"], b"new")


def test_files_get_the_usual_mode(tmp_path):
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "theirs").write_bytes(b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "theirs")}
    assert len(modes) == 1


def test_json_is_for_people_and_strict(tmp_path):
    write_json(tmp_path / "x.json", {"name": "é"})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "name": "é"\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", float("nan"))
    assert not (tmp_path / "y.json").exists()


def test_folders(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a" / "b", exist_ok=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="is a file"):
        make_folder(tmp_path / "file")
    with pytest.raises(ResourceError, match="cannot be written"):
        make_folder(Path("/proc/nowhere/at/all"))
