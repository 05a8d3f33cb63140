"""Pages and terminals show what names hold, and sheets that are damaged keep no run from closing."""

import os
import shutil
import struct
import zlib

import pytest

import ganzfeld as gz
from ganzfeld.printable import printable, visible
from ganzfeld.runs.report.report import write_report
from tests.cli.test_cli import call
from tests.training.conftest import small

TRICKS = "cats\x1b[31m\x07\u202egnp\u2066<script>"


def bomb() -> bytes:
    """A PNG file whose header speaks of 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def trained(array_file, tmp_path_factory) -> gz.Run:
    return gz.train(array_file, recipe=small(), images=16, out=tmp_path_factory.mktemp("trained"))


@pytest.fixture
def run(trained, tmp_path) -> gz.Run:
    """A copy of it."""
    return gz.open_run(shutil.copytree(trained.path, tmp_path / trained.path.name))


@pytest.mark.parametrize("name", ["samples/0.png", "samples/16.png", "reals.png"])
@pytest.mark.parametrize("what", ["empty", "cut", "bomb", "pipe", "folder", "text"])
def test_a_damaged_sheet_keeps_no_run_from_closing(run, name, what):
    path = run.path / name
    content = path.read_bytes()
    path.unlink()
    match what:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.write_bytes({"empty": b"", "cut": content[:90], "bomb": bomb(), "text": b"<script>"}[what])
    page = write_report(run).read_text()
    assert f"Images that cannot be read are left out: {path.name}." in page
    if what not in ("pipe", "folder"):
        assert gz.resume(run.path, images=32).position.images_seen == 32


def test_names_on_a_page_show_what_they_hold(array_file, tmp_path):
    """Control characters and marks of direction as escapes; tags as text."""
    out = tmp_path / TRICKS
    run = gz.train(array_file, recipe=small(), images=16, out=out)
    metadata = run.metadata
    run.write_metadata(metadata.changed(credit=TRICKS, data=f"/{TRICKS}", class_names=(TRICKS,)))
    page = write_report(run).read_text()
    for mark in "\x1b\x07\u202e\u2066":
        assert mark not in page
    assert "<script>" not in page
    assert "\\x1b[31m" in page and "\\u202e" in page


def test_names_on_a_terminal_show_what_they_hold(array_file, tmp_path):
    out = tmp_path / TRICKS
    words = [
        "train",
        array_file,
        "--images",
        8,
        "--out",
        out,
        "--set",
        "size=16",
        "--set",
        "generator.width=8",
    ]
    code, told, remarks = call(*words)
    assert code == 0
    (run,) = out.glob("*")
    for words in (["sample", run, "--n", 1, "--out", out / "x.png"], ["doctor", run], ["resume", run]):
        code, more, others = call(*words)
        assert code == 0
        told, remarks = told + more, remarks + others
    assert "cats\\x1b[31m\\x07\\u202egnp" in told and "cats\\x1b" in remarks
    for mark in "\x1b\x07\u202e\u2066":
        assert mark not in told + remarks


def test_visible_text():
    assert visible("a b\nc ü ☃") == "a b\nc ü ☃"
    assert visible("a\x1b[31m\r\u202e\udcff\nb") == "a\\x1b[31m\\r\\u202e\\udcff\nb"
    assert len(visible("x\x00" * 10_000)) > 10_000 and len(printable("x" * 10_000)) <= 300
