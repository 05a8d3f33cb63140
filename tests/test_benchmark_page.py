"""The page of benchmarks goes where the user says, and replaces nothing of the user's."""

from pathlib import Path

import pytest

from tests.cli.test_cli import call


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\xff", b"\xff\xfe", b"", b"# Mine\n"])
def test_a_file_of_the_users_is_never_a_page(tmp_path: Path, content: bytes):
    """Text or not: like every output, and left as it is."""
    mine = tmp_path / "me.png"
    mine.write_bytes(content)
    for command in ("train", "sample", "ingest"):
        code, _, complaint = call("bench", command, "--out", mine)
        assert code == 2 and "exists already, and is not benchmarks that ganzfeld wrote" in complaint
    assert mine.read_bytes() == content
