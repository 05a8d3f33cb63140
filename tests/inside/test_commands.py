"""The commands of ``ganzfeld latent`` on short runs: what they write, say and refuse."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzfeld as gz
from ganzfeld.errors import DataError, GanzfeldWarning, UsageError
from ganzfeld.inside.films import film
from ganzfeld.model import Model
from ganzfeld.output import Mark, mark_of, marked
from tests.inside.conftest import Command
from tests.inside.toys import LATENT, toy


class TestWalk:
    def test_visits_the_seeds_and_returns(self, run: gz.Run):
        walk = gz.latent_walk(run, [5, 2**40 + 5, 9], frames=24, loop=True)
        assert walk.images.shape == (24, 16, 16, 3) and len(walk.steps) == 24
        assert (walk.images[list(walk.stops)] == run.sample(seeds=[5, 2**40 + 5, 9])).all(), (
            "as sample makes them"
        )
        assert walk.evenness is not None and walk.evenness < 1.5 and walk.is_even
        assert "even" in walk.sentence
        straight = gz.latent_walk(run, [5, 9], frames=7)
        assert straight.stops == (0, 6) and len(straight.steps) == 6

    def test_writes_every_format_and_replaces_only_its_own(
        self, run: gz.Run, command: Command, tmp_path: Path
    ):
        names = ["a.png", "b.gif", "c.webp"]
        words = ["latent", "walk", run.path, "--seeds", "3,1", "--frames", 5]
        words += [word for name in names for word in ("--out", name)]
        for _ in range(2):  # the second time it replaces its files
            code, result = command(*words)
            assert code == 0 and result["files"] == [str(tmp_path / name) for name in names]
        for name in names:
            assert mark_of(tmp_path / name) == "latent walk"
            with Image.open(tmp_path / name) as image:
                image.load()
                assert getattr(image, "n_frames", 1) == (1 if name == "a.png" else 5)
        Image.new("RGB", (4, 4)).save(tmp_path / "mine.gif")
        before = (tmp_path / "mine.gif").read_bytes()
        code, result = command(*words[:5], "--out", "mine.gif")
        assert code == 2 and "not a latent walk" in result["error"]
        assert (tmp_path / "mine.gif").read_bytes() == before

    def test_takes_latents_from_files(self, run: gz.Run, command: Command, tmp_path: Path):
        points = gz.latents_of_seeds([7, 8], 16).numpy()
        np.save(tmp_path / "points.npy", points)
        code, result = command("latent", "walk", run.path, "--latents", "points.npy", "--frames", 4)
        assert code == 0 and result["stops"] == [0, 3]
        assert [Path(file).name for file in result["files"]] == [
            f"{run.path.name}-walk{end}" for end in (".png", ".gif")
        ]

    def test_a_conditional_run_stays_in_one_class(self, conditional_run: gz.Run):
        walk = gz.latent_walk(conditional_run, [4, 6], frames=3)
        assert walk.label == 1, "that of seed 4"
        assert (walk.images[0] == conditional_run.sample(seeds=[4])[0]).all()
        named = gz.latent_walk(conditional_run, [4, 6], frames=3, of=conditional_run.classes[2])
        assert (named.images[-1] == conditional_run.sample(seeds=[6], of=2)[0]).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "MP4", "NPY"])
def test_marks_leave_files_readable(kind: str, tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), np.uint8)
    path = tmp_path / f"file.{kind.lower()}"
    if kind == "NPY":
        np.save(path, images)
        content = path.read_bytes()
    elif kind == "MP4":
        content = b"\0\0\0\x10ftypisom\0\0\0\0"
    else:
        content = film(images, f".{kind.lower()}", 10)
    path.write_bytes(content)
    assert mark_of(path) is None
    path.write_bytes(marked(content, Mark.LATENTS))
    assert mark_of(path) == "latents"
    if kind == "NPY":
        assert (np.load(path) == images).all()
    elif kind != "MP4":
        with Image.open(path) as image:
            assert image.n_frames == 3  # pyright: ignore[reportAttributeAccessIssue]


def test_mp4_only_with_ffmpeg(run: gz.Run, command: Command, tmp_path: Path):
    code, result = command("latent", "walk", run.path, "--frames", 4, "--out", "walk.mp4")
    if shutil.which("ffmpeg") or importlib.util.find_spec("imageio_ffmpeg"):
        assert code == 0 and mark_of(tmp_path / "walk.mp4") == "latent walk"
    else:
        assert code == 6 and ".gif" in result["hint"] and not (tmp_path / "walk.mp4").exists()


class TestAdd:
    def test_shows_the_groups_and_the_sum(self, run: gz.Run, command: Command, tmp_path: Path):
        result = gz.latent_add(run, [[3, 7, 9], [2, 5, 6]], [[1, 4, 8]])
        assert [(group.sign, group.seeds) for group in result.groups][-1] == (-1, (1, 4, 8))
        assert (result.groups[0].images == run.sample(seeds=[3, 7, 9])).all()
        assert result.around.shape == (9, 16, 16, 3)
        assert all((image != result.image).any() for at, image in enumerate(result.around) if at != 4)
        assert float(result.latent.norm()) == pytest.approx(4), "the root of 16"
        assert result.expectations is None and "only the images" in result.sentence
        words = ["latent", "add", run.path, "--plus", "3,7,9", "--minus", "1,4,8", "--plus", "2,5,6"]
        code, values = command(*words, "--out", "sum.png")
        assert code == 0 and mark_of(tmp_path / "sum.png") == "latent sum"
        assert torch.allclose(torch.tensor(values["latent"]), result.latent, atol=1e-4)

    def test_compares_with_known_attributes(self, known_run: gz.Run):
        latents = gz.latents_of_seeds(range(100), LATENT)
        seeds = {name: torch.nonzero(side)[:5, 0].tolist() for name, side in red_and_blue(latents).items()}
        result = gz.latent_add(known_run, [seeds["red"]])
        assert result.expectations is not None
        (entry,) = result.expectations
        assert (entry.name, entry.expected, entry.read, entry.is_right) == ("class", "red", "red", True)
        assert entry.chance == pytest.approx(0.5, abs=0.15)
        assert result.num_right == 1 and "the sum worked" in result.sentence and "reader" in result.sentence
        unchecked = gz.latent_add(known_run, [seeds["red"]], check=False)
        assert unchecked.expectations is None and "not checked" in unchecked.sentence
        mixed = gz.latent_add(known_run, [[seeds["red"][0], seeds["blue"][0]]])
        assert mixed.expectations == () and "too little in common" in mixed.sentence


def red_and_blue(latents: torch.Tensor) -> dict[str, torch.Tensor]:
    """Which latents the toy makes clearly red or blue."""
    return {"red": latents[:, 0] > 0.5, "blue": latents[:, 0] < -0.5}


class TestDirections:
    def test_of_change(self, run: gz.Run, command: Command, tmp_path: Path):
        code, result = command("latent", "directions", run.path, "--n", 3, "--out", "d.png")
        assert code == 0 and result["kind"] == "change"
        assert [entry["name"] for entry in result["directions"]] == ["change-1", "change-2", "change-3"]
        assert all(entry["success"] is None and entry["collateral"] is None for entry in result["directions"])
        shares = [entry["share"] for entry in result["directions"]]
        assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1
        vectors = np.load(tmp_path / "d.npy")
        assert np.allclose(vectors @ vectors.T, np.eye(3), atol=1e-5)
        assert mark_of(tmp_path / "d.npy") == mark_of(tmp_path / "d.png") == "latent directions"

    def test_of_classes_that_the_images_have(self, known_run: gz.Run):
        result = gz.latent_directions(known_run, step=3)
        assert result.kind == "attributes" and "it worked" in result.sentence and "reader" in result.sentence
        blue, red = result.directions
        assert (blue.name, red.name) == ("class=blue", "class=red")
        assert float(red.vector[0]) > 0.95 and torch.allclose(blue.vector, -red.vector, atol=1e-3)
        assert result.success is not None and result.success.value > 0.95
        assert result.random_success is not None and result.random_success < 0.6
        assert result.collateral is None and red.collateral is None, "there are no other attributes"
        assert gz.latent_directions(known_run, only=["class=red"]).directions[0].name == "class=red"

    @pytest.mark.parametrize("way", ["folders", "table"])
    def test_of_other_labelled_images(self, way: str, known_run: gz.Run, class_folders: Path):
        data = class_folders / ("by class" if way == "folders" else "flat")
        labels = None if way == "folders" else class_folders / "labels.csv"
        result = gz.latent_directions(known_run, data=data, labels=labels)
        assert [entry.name for entry in result.directions] == ["class=blue", "class=red"]

    def test_labels_that_say_nothing_of_the_images_are_found_out(
        self, known_run: gz.Run, class_folders: Path, tmp_path: Path
    ):
        rows = [f"{number:03d}.png,{'ab'[number * 7 % 11 % 2]}" for number in range(60)]
        (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
        data, labels = class_folders / "flat", tmp_path / "labels.csv"
        with pytest.raises(DataError, match="cannot be read from the pixels"):
            gz.latent_directions(known_run, "attributes", data=data, labels=labels)

    def test_without_its_images_a_run_is_not_checked(self, known_run: gz.Run, class_folders: Path):
        data = class_folders / "by class"
        data.rename(class_folders / "elsewhere")
        try:
            with pytest.warns(GanzfeldWarning, match="attributes are not used"):
                assert gz.latent_directions(known_run, num=1).kind == "change"
            with pytest.warns(GanzfeldWarning, match="attributes are not used"):
                assert gz.latent_add(known_run, [[1, 2]]).expectations is None
            with pytest.raises((DataError, UsageError)):
                gz.latent_directions(known_run, "attributes")
        finally:
            (class_folders / "elsewhere").rename(data)

    def test_a_generator_that_makes_one_image(self, known_run: gz.Run):
        run = gz.open_run(known_run.path)
        constant = toy(lambda latents: torch.ones(len(latents), 3, 16, 16)).generator
        vars(run)["model"] = Model(constant, known_run.model.card)
        with pytest.raises(DataError, match="the same attributes"):
            gz.latent_directions(run)
        assert "alike" in gz.latent_walk(run, [1, 2], frames=5).sentence
        assert "did not work" in gz.latent_directions(run, "change").sentence

    def test_of_a_conditional_run(self, conditional_run: gz.Run):
        """All images of a walk have its class, so that only changes are left to find."""
        result = gz.latent_directions(conditional_run, of=0, num=2)
        assert result.kind == "change" and result.label == 0 and len(result.directions) == 2


BAD = [
    ("walk --seeds 3", 2, "at least two"),
    ("walk --seeds 3,3", 2, "the same"),
    ("walk --seeds 3,9223372036854775808", 2, "out of range"),
    ("walk --seeds 3,-1", 2, "not a list of seeds"),
    ("walk --seeds 3,4,5 --frames 2", 2, "from 3 to"),
    ("walk --class cats", 2, "no classes"),
    ("walk --out walk.jpg", 2, "neither a film"),
    ("walk --out a.png --out a.png", 2, "twice"),
    ("walk --fps 0 --out a.gif", 2, "frames per second"),
    ("walk --latents nowhere.npy", 2, "no file of latents"),
    ("walk --latents wide.npy", 3, "components"),
    ("walk --latents nan.npy", 3, "NaN"),
    ("walk --latents text.npy", 3, "cannot be read"),
    ("walk --latents cube.npy", 3, "shape"),
    ("add --minus 3", 2, "at least one group"),
    ("add --plus x", 2, "not a list of seeds"),
    ("add --plus 3 --out a.gif", 2, ".png"),
    ("directions --kind chnage", 2, "unknown kind"),
    ("directions --n 0", 2, "from 1 to 16"),
    ("directions --step nan", 2, "step"),
    ("directions --kind attributes", 3, "nothing is known"),
    ("directions --kind change --only a", 2, "directions of attributes"),
    ("directions --labels nowhere.csv", 2, "labels are for image files"),
    ("directions --data flat", 3, "no labels"),
    ("directions --data flat --labels nowhere.csv", 2, "no file of labels"),
    ("directions --data flat --labels other.csv", 3, "names one of the images"),
    ("directions --data one", 3, "too few"),
    ("directions --data labelled --only clas=r", 2, "unknown attribute"),
]


@pytest.mark.parametrize(("words", "code", "error"), BAD, ids=[words for words, _, _ in BAD])
def test_bad_input(
    words: str, code: int, error: str, run: gz.Run, class_folders: Path, command: Command, tmp_path: Path
):
    np.save(tmp_path / "wide.npy", np.zeros((2, 17)))
    np.save(tmp_path / "nan.npy", np.full((2, 16), np.nan))
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 16)))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "other.csv").write_text("file,label\nx.png,1\ny.png,2\n")
    (tmp_path / "one" / "r").mkdir(parents=True)
    shutil.copy(class_folders / "flat" / "000.png", tmp_path / "one" / "r" / "000.png")
    (tmp_path / "one" / "g").mkdir()
    shutil.copy(class_folders / "flat" / "001.png", tmp_path / "one" / "g" / "001.png")
    for name, place in {"flat": "flat", "labelled": "by class"}.items():
        (tmp_path / name).symlink_to(class_folders / place)
    first, *others = words.split()
    got, result = command("latent", first, run.path, *others)
    assert (got, error in result["error"]) == (code, True), result
    assert result["hint"] or "out of range" in error, "what to do"


def test_close_names_are_suggested(command: Command, run: gz.Run):
    assert "walk" in command("latent", "wlak", run.path)[1]["hint"]
    assert "change" in command("latent", "directions", run.path, "--kind", "chnage")[1]["hint"]


def test_a_model_folder_suffices_except_for_attributes(command: Command, run: gz.Run):
    model = run.path / "model" / "last"
    assert command("latent", "walk", model, "--frames", 4)[0] == 0
    assert command("latent", "add", model, "--plus", "1,2")[0] == 0
    code, result = command("latent", "directions", model, "--kind", "attributes")
    assert code == 2 and "run" in result["error"]


def test_without_checkpoints_latents_still_work(run: gz.Run, command: Command, tmp_path: Path):
    shutil.copytree(run.path, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "checkpoints")
    assert command("latent", "walk", "copy", "--frames", 4)[0] == 0
    assert command("latent", "directions", "copy", "--n", 1)[0] == 0
