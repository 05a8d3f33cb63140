"""Files that somebody else put there: read within limits, or refused without waiting."""

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest

from ganzfeld.regular import Irregular, is_regular, open_regular, read_regular


def is_refused(path: Path) -> bool:
    with contextlib.suppress(OSError):
        open_regular(path).close()
        return False
    return True


def num_handles() -> int:
    handles = Path("/proc/self/fd")
    return sum(1 for _ in handles.iterdir()) if handles.is_dir() else 0


def test_a_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_regular(tmp_path / "a", 5) == read_regular(tmp_path / "link", 5) == b"12345"
    with open_regular(tmp_path / "a") as file:
        assert file.read(2) == b"12"


def test_one_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(Irregular, match="too large"):
        read_regular(tmp_path / "a", 4)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(Irregular, match="1,099,511,627,776 bytes"):
        read_regular(tmp_path / "sparse", 1000)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("pipe", "a pipe"), ("folder", "a folder"), ("device", "a device"), ("socket", "No such device")],
)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind, words):
    path = tmp_path / "x"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(path))
    opening = threading.Thread(target=lambda: is_refused(path), daemon=True)
    opening.start()
    opening.join(10)
    assert not opening.is_alive(), "it waits"
    with pytest.raises(OSError, match=words):
        read_regular(path, 10)
    assert not is_regular(path)


def test_a_pipe_with_a_writer_is_refused_too(tmp_path):
    """Opening it would not wait, and reading it would never end."""
    os.mkfifo(tmp_path / "x")
    both = os.open(tmp_path / "x", os.O_RDWR)
    try:
        os.write(both, b"{}")
        with pytest.raises(Irregular, match="a pipe"):
            read_regular(tmp_path / "x", 10)
    finally:
        os.close(both)


@pytest.mark.parametrize("name", ["n" * 5_000, "zero\0byte"])
def test_names_that_no_file_can_have(tmp_path, name):
    assert not is_regular(tmp_path / name)
    with pytest.raises(OSError, match=r"too long|null byte"):
        read_regular(tmp_path / name, 10)


def test_no_handle_is_left_open(tmp_path):
    os.mkfifo(tmp_path / "x")
    before = num_handles()
    for _ in range(20):
        with pytest.raises(Irregular):
            open_regular(tmp_path / "x")
    assert num_handles() == before
