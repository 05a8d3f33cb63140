"""``inside.html``: what commands made is gathered, whatever else is in the run folder."""

import base64
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganzfeld as gz
from ganzfeld.errors import DamagedError, ResourceError, UsageError
from ganzfeld.inside.films import film
from ganzfeld.inside.page import PAGE, Section, add_section
from ganzfeld.inside.page.section import MOST_FILM_BYTES, MOST_PNG_BYTES, MOST_ROWS, MOST_SIDE, section
from ganzfeld.inside.page.shelf import MOST_SECTIONS, read_sections
from ganzfeld.model import png
from ganzfeld.output import mark_of
from ganzfeld.run_layout import is_written, run_that_owns
from tests.cli.test_cli import call
from tests.inside.conftest import Command

HOSTILE = "<script>alert(1)</script>&\"'\u202egnp\x1b[31m"


def image_bytes(seed: int = 0, side: int = 8) -> bytes:
    return png(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8))


def a_section(name: str = "walk", **more: Any) -> Section:
    return section(name, ["latent", name, "run"], f"{name} worked", **more)


def shown_in(page: Path) -> list[str]:
    """The titles of the sections of a page, in its order."""
    return [part.partition("<")[0] for part in page.read_text(encoding="utf-8").split("<h2>")[1:]]


class Tags(HTMLParser):
    """All tags of a page with their attributes, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def copy(run: gz.Run, tmp_path: Path) -> Path:
    """A copy of a run, to be written into, without what other tests have added to its page."""
    return Path(shutil.copytree(run.path, tmp_path / "a run", ignore=shutil.ignore_patterns("inside*")))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestCommands:
    def test_add_their_sections_newest_first(self, copy: Path, command: Command, tmp_path: Path):
        before = contents(copy)
        face = tmp_path / "a face.png"
        Image.fromarray(gz.open_run(copy).sample(seeds=[5])[0]).save(face)
        with gz.open_run(copy).writing():  # as if it were being trained
            walked = command("latent", "walk", copy, "--seeds", "3,17", "--frames", 4)[1]
            added = command("latent", "add", copy, "--plus", "3,7", "--minus", 4, "--no-check")[1]
            filled = command("complete", copy, face, "--hole", "5,4,6,7", "--n", 1)[1]
        assert {walked["page"], added["page"], filled["page"]} == {str(copy / PAGE)}
        page = Tags(copy / PAGE)
        assert shown_in(copy / PAGE) == ["complete", "latent add", "latent walk"]
        assert all(result["sentence"] in page.text for result in (walked, added, filled))
        assert f"ganzfeld latent walk '{copy}' --seeds 3,17 --frames 4\n" in page.text + "\n"
        assert "--json" not in page.text and "after 256 images" in page.text
        sources = [str(found["src"]) for tag, found in page.tags if tag == "img"]
        images = [base64.b64decode(source.partition(",")[2]) for source in sources]
        files = [Path(filled["files"][-1]), Path(added["files"][0]), *map(Path, walked["files"])]
        assert all(
            np.array_equal(pixels(one), pixels(file.read_bytes()))
            for one, file in zip(images, files, strict=True)
        )
        # Nothing else has changed: not the lock, not the journal.
        after = contents(copy)
        assert {name: after[name] for name in before if name != ".lock"} == {
            name: content for name, content in before.items() if name != ".lock"
        }
        assert all(name.startswith("inside") for name in after.keys() - before.keys())

    @pytest.mark.thorough
    def test_all_of_them(self, copy: Path, command: Command, tmp_path: Path):
        Image.fromarray(gz.open_run(copy).sample(seeds=[5])[0]).save(tmp_path / "a.png")
        assert command("latent", "directions", copy, "--n", 2)[0] == 0
        assert command("latent", "invert", copy, "a.png")[0] == 0
        assert shown_in(copy / PAGE) == ["latent invert", "latent directions"]
        assert "share of the change" in Tags(copy / PAGE).text and "PSNR" in Tags(copy / PAGE).text

    def test_a_model_folder_gets_no_page(self, copy: Path, command: Command):
        before = contents(copy)
        code, result = command("latent", "walk", copy / "model" / "last", "--frames", 4)
        assert code == 0 and result["page"] is None and contents(copy) == before

    @pytest.mark.parametrize("what", ["a file of the user's", "a file in place of the folder", "a link"])
    def test_succeed_where_the_page_cannot_be_written(self, what: str, copy: Path, tmp_path: Path):
        mine = tmp_path / "mine"
        mine.mkdir()
        if what == "a file of the user's":
            (copy / PAGE).write_text("<html>mine</html>")
        elif what == "a link":
            (copy / "inside").symlink_to(mine)
        else:
            (copy / "inside").write_text("mine")
        before = contents(copy)
        code, text, notes = call(
            "latent", "walk", copy, "--frames", 4, "--out", tmp_path / "walk.png", "--json"
        )
        assert code == 0 and json.loads(text)["page"] is None and (tmp_path / "walk.png").is_file()
        assert "not added to the page of the run" in notes and "Traceback" not in notes
        assert contents(copy) == before and not any(mine.iterdir())


def pixels(content: bytes) -> np.ndarray:
    """The first image of a file."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


class TestPage:
    def test_needs_nothing_but_itself(self, tmp_path: Path):
        page, _ = add_section(tmp_path, a_section(images={"one": image_bytes()}))
        tags = Tags(page).tags
        assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe", "object")]
        assert [str(found["src"])[:22] for tag, found in tags if tag == "img"] == ["data:image/png;base64,"]
        assert [found["href"] for tag, found in tags if tag == "a"] == ["report.html"]
        assert any("default-src 'none'" in str(found.get("content")) for tag, found in tags if tag == "meta")
        assert mark_of(page) == "page of looking inside"

    def test_shows_the_text_of_others_as_text(self, tmp_path: Path):
        run = tmp_path / "<b>run"
        run.mkdir()
        hostile = section(
            HOSTILE,
            ["complete", HOSTILE, "\udcff.png"],
            HOSTILE,
            images={HOSTILE: image_bytes()},
            files=[tmp_path / HOSTILE, tmp_path / "\udcff.png"],
            settings={HOSTILE: HOSTILE},
            table=[[HOSTILE], [HOSTILE]],
            notes=[HOSTILE],
        )
        page = Tags(add_section(run, hostile)[0])
        assert not [tag for tag, _ in page.tags if tag in ("script", "b")]
        assert page.text.count("<script>alert(1)</script>") == 10, "escaped, and shown"
        assert "\u202e" not in page.text and "\x1b" not in page.text and r"\u202e" in page.text

    def test_the_same_command_replaces_its_section(self, tmp_path: Path):
        for sentence in ("first", "second"):
            add_section(tmp_path, section("walk", ["latent", "walk", "run"], sentence))
        add_section(tmp_path, section("walk", ["latent", "walk", "run", "--seeds", "1,2"], "other"))
        add_section(tmp_path, section("walk", ["latent", "walk", "run"], "elsewhere", files=[Path("b.png")]))
        sections, notes = read_sections(tmp_path / "inside")
        assert [entry.sentence for entry in sections] == ["elsewhere", "other", "second"] and notes == []

    def test_is_whole_although_many_write_it(self, tmp_path: Path):
        names = [f"walk-{number}" for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: add_section(tmp_path, a_section(name)), names))
        assert sorted(shown_in(tmp_path / PAGE)) == names
        assert not list(tmp_path.rglob("*.part"))

    def test_keeps_the_newest(self, tmp_path: Path):
        names = [f"walk-{number}" for number in range(MOST_SECTIONS + 2)]
        (tmp_path / "inside").mkdir()
        for entry in map(a_section, names[:-1]):
            content = {"software": "ganzfeld inside", "format": 1} | entry.model_dump(mode="json")
            (tmp_path / "inside" / f"{entry.key}.json").write_text(json.dumps(content))
        add_section(tmp_path, a_section(names[-1]))
        assert shown_in(tmp_path / PAGE) == names[:1:-1]
        assert len(list((tmp_path / "inside").glob("*.json"))) == MOST_SECTIONS

    def test_is_not_among_the_users_files(self, copy: Path):
        """Outputs are refused there, and training does not clean it up."""
        assert run_that_owns(copy / PAGE) == run_that_owns(copy / "inside" / "x.png") == copy
        assert not is_written(PAGE) and is_written("report.html")


class TestRecords:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "Expecting value"),
            (b"{}", "ganzfeld did not write it"),
            (b"[" * 100_000, "nested too deeply"),
            ({"software": "another"}, "ganzfeld did not write it"),
            ({"format": 99}, "another version of ganzfeld"),
            ({"sentence": None}, "sentence: "),
            ({"time": "2026-13-01T00:00:00.000000+00:00"}, "time: "),
            ({"time": "2026-01-01T00:00:00"}, "time: "),
            ({"command": "ganzfeld rm"}, "does not belong to its name"),
            ({"images": [{"caption": "", "width": 1, "height": 1, "content": "PHN2Zz4="}]}, "neither PNG"),
            ({"images": [{"caption": "", "width": 1, "height": 1, "content": "\u00e9"}]}, "base64"),
        ],
    )
    def test_a_damaged_one_is_left_out_and_named(self, content: Any, reason: str, tmp_path: Path):
        add_section(tmp_path, a_section("older"))
        (path,) = (tmp_path / "inside").glob("*.json")
        if isinstance(content, dict):
            content = json.dumps(json.loads(path.read_text()) | content).encode()
        path.write_bytes(content)
        page, notes = add_section(tmp_path, a_section("newer"))
        assert shown_in(page) == ["newer"] and path.read_bytes() == content
        assert len(notes) == 1 and path.name in notes[0] and reason in notes[0]
        assert notes[0] in Tags(page).text

    def test_a_foreign_file_is_left_alone_and_named(self, tmp_path: Path):
        add_section(tmp_path, a_section())
        (tmp_path / "inside" / "notes.txt").write_text("mine")
        (tmp_path / "inside" / "0123456789abcdef.json").mkdir()
        page, notes = add_section(tmp_path, a_section("add"))
        assert shown_in(page) == ["add", "walk"] and len(notes) == 2
        assert (tmp_path / "inside" / "notes.txt").read_text() == "mine"

    def test_remains_of_a_killed_writer_are_removed(self, tmp_path: Path):
        add_section(tmp_path, a_section())
        ours = [tmp_path / ".inside.html.0a1b2c3d.part"]
        ours.append(tmp_path / "inside" / ".0123456789abcdef.json.0a1b2c3d.part")
        users = tmp_path / ".report.html.0a1b2c3d.part"  # of a run that is being trained
        for path in (*ours, users):
            path.write_text("half")
        add_section(tmp_path, a_section())
        assert not any(path.exists() for path in ours) and users.exists()

    def test_what_cannot_be_written_raises(self, tmp_path: Path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / PAGE).write_text("mine")
        with pytest.raises(UsageError, match="is not a file that ganzfeld wrote"):
            add_section(tmp_path / "a", a_section())
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "inside").write_text("mine")
        with pytest.raises(ResourceError):
            add_section(tmp_path / "b", a_section())
        (tmp_path / "c").mkdir()
        (tmp_path / "c" / PAGE).symlink_to(tmp_path / "a" / PAGE)
        with pytest.raises(DamagedError, match="is a link"):
            add_section(tmp_path / "c", a_section())
        assert (tmp_path / "a" / PAGE).read_text() == "mine"


class TestLargeOnes:
    def test_an_image_is_made_smaller(self):
        content = png(np.zeros((60, MOST_SIDE * 3, 1), np.uint8)) + bytes(MOST_PNG_BYTES)
        (image,) = a_section(images={"large": content}).images
        assert image.url.startswith("data:image/webp") and (image.width, image.height) == (MOST_SIDE, 20)
        assert pixels(base64.b64decode(image.content)).shape == (20, MOST_SIDE, 3)

    def test_a_film_is_left_out_and_its_file_named(self):
        frames = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), np.uint8)
        content = film(frames, ".gif", 10) + bytes(MOST_FILM_BYTES)
        entry = a_section(images={"film": content, "one": image_bytes()})
        assert [image.caption for image in entry.images] == ["one"]
        assert "film: too large for this page" in entry.notes[0]

    def test_tables_and_lists_are_shortened(self, tmp_path: Path):
        rows = [["image"], *([str(number)] for number in range(1000))]
        files = [Path(f"{number}.npy") for number in range(1000)]
        entry = section("walk", ["x" * 100_000], "worked", table=rows, files=files)
        assert len(entry.table) == MOST_ROWS + 1 and entry.more_rows == 940 == 1000 - MOST_ROWS
        assert len(entry.command) < 3000 and "940 more files" in entry.notes[0]
        assert "and 940 more" in Tags(add_section(tmp_path, entry)[0]).text

    def test_a_damaged_image_is_refused(self):
        for content in (b"", b"\x89PNG\r\n\x1a\nrest", b"<svg>"):
            with pytest.raises(ValueError, match="cannot be read"):
                a_section(images={"bad": content})
