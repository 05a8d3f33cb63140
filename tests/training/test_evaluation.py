"""``evaluate`` and ``ganzfeld eval``: figures of a run against its images or others, what is refused."""

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image

import ganzfeld as gz
from ganzfeld.cli import main
from ganzfeld.errors import DataError, UsageError
from ganzfeld.metrics.measures import figure_names
from tests.conftest import blobs
from tests.training.conftest import small

SMALL_SPACE = "random-convolutions"


def call(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def run(array_file, tmp_path_factory):
    return gz.train(array_file, recipe=small(), images=64, out=tmp_path_factory.mktemp("runs"))


def saved(path, images):
    np.save(path, images)
    return path


class TestEvaluate:
    def test_all_figures(self, run):
        found = gz.evaluate(run, num=60, features=SMALL_SPACE)
        assert {each.figure.name for each in found.measurements} == set(figure_names()) - {
            "fid",
            "nearer_than_held_out",
        }
        assert found.images_seen == 64 and found.suspects is not None and not found.notes
        assert found["recall"].num_samples == found["recall"].num_reals == 60

    def test_a_seed_decides_all(self, run):
        first, again, other = (
            gz.evaluate(run, num=60, features=SMALL_SPACE, seed=seed, only=["kernel-distance"]).measurements
            for seed in (0, 0, 1)
        )
        assert first == again != other

    def test_pixels_need_no_features(self, run, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
        found = gz.evaluate(run, num=60, only=["spectrum-distance"])
        assert [each.features for each in found.measurements] == ["pixels"]

    def test_others_of_another_size(self, run, tmp_path):
        """Copies are looked for among the images of the training, whatever is compared with."""
        others = saved(tmp_path / "others.npy", blobs(80, 24, seed=5))
        found = gz.evaluate(run, others, num=60, features=SMALL_SPACE)
        assert found["recall"].num_reals == 60 and found["memorised"].num_reals == 60
        assert found["memorised"] == gz.evaluate(run, num=60, features=SMALL_SPACE)["memorised"]
        assert found["nearer_than_held_out"].num_reals == 60

    def test_the_training_set_is_not_held_out(self, run, array_file, tmp_path):
        """Given as other images, from the same place or another."""
        asked = ["memorisation"]
        copied = saved(tmp_path / "copy.npy", np.load(array_file))
        for given in (array_file, copied):
            found = gz.evaluate(run, given, num=200, features=SMALL_SPACE, only=asked)
            assert [each.figure.name for each in found.measurements] == ["memorised"]
        with pytest.raises(UsageError, match="held out"):
            gz.evaluate(run, num=60, features=SMALL_SPACE, only=["nearer-than-held-out"])

    def test_nor_is_any_image_of_it_whether_looked_at_or_not(self, run, array_file, tmp_path):
        """Of 200 training images all are looked at, and then 120."""

        def told(given, num=200):
            return gz.evaluate(run, given, num=num, features=SMALL_SPACE, only=["nearer-than-held-out"])

        training, others = np.load(array_file), blobs(80, 16, seed=5)
        mixed = saved(tmp_path / "mixed.npy", np.concatenate([training[:120], others]))
        alone = saved(tmp_path / "alone.npy", others)
        found = [told(given) for given in (mixed, alone)]
        first, second = (each["nearer_than_held_out"] for each in found)
        assert first.figure.value == second.figure.value
        assert found[0].notes == (
            "nearer_than_held_out: 120 of the 200 images are in the training set and were left out",
        )
        # With those that are not looked at there would be enough.
        most = saved(tmp_path / "most.npy", np.concatenate([training[:120], others[:30]]))
        with pytest.raises(DataError, match="of the 120 images are in the training set"):
            told(most, num=120)

    def test_foreign_images_are_not_held_out_and_the_rest_is_measured(self, run, tmp_path):
        foreign = saved(tmp_path / "foreign.npy", 255 - blobs(80, 16, seed=5))
        found = gz.evaluate(run, foreign, num=60, features=SMALL_SPACE)
        assert {"recall", "memorised", "kernel_distance"} <= {each.figure.name for each in found.measurements}
        (missing,) = found.not_measured
        assert (missing.name, missing.reason) == ("nearer_than_held_out", "foreign")
        assert missing.place is not None and missing.place.low > 0.75
        assert found.notes == (f"nearer_than_held_out not measured: {missing.text}",)
        code, told, said = call("eval", run.path, foreign, "--n", 60, "--features", SMALL_SPACE)
        assert code == 0 and f"nearer_than_held_out not measured: {missing.text}\n" in told
        assert missing.text not in said, "once is enough"
        options = ["--features", SMALL_SPACE, "--only", "nearer-than-held-out", "--json"]
        code, told, _ = call("eval", run.path, foreign, "--n", 60, *options)
        assert code == 3 and missing.text in json.loads(told)["error"]

    def test_what_is_not_given_is_in_the_json(self, run, array_file, tmp_path):
        copied = saved(tmp_path / "copy.npy", np.load(array_file))
        options = ["--n", 60, "--features", SMALL_SPACE, "--json"]
        code, told, _ = call("eval", run.path, copied, *options)
        (missing,) = json.loads(told)["not_measured"]
        assert code == 0 and (missing["reason"], missing["place"]) == ("seen", None)
        assert "60 of the 60 images are in the training set" in missing["text"]
        assert json.loads(call("eval", run.path, *options)[1])["not_measured"] == []

    def test_fewer_than_asked_for_are_told(self, run, tmp_path):
        few = saved(tmp_path / "few.npy", blobs(55, 16))
        found = gz.evaluate(run, few, num=60, features=SMALL_SPACE, only=["recall"])
        assert found["recall"].num_reals == 55
        assert "only 55 images" in found.notes[0]

    def test_training_images_that_are_gone(self, array_file, tmp_path):
        mine = saved(tmp_path / "mine.npy", blobs(60, 16))
        run = gz.train(mine, recipe=small(), images=8, out=tmp_path / "runs")
        mine.unlink()
        with pytest.raises(DataError) as caught:
            gz.evaluate(run, num=60, features=SMALL_SPACE)
        assert "ganzfeld eval RUN DATA" in caught.value.hint
        found = gz.evaluate(run, array_file, num=60, features=SMALL_SPACE)
        assert found.suspects is None and "memorisation not measured" in " ".join(found.notes)
        assert {each.reason for each in found.not_measured} == {"training-set-gone"}
        mine.write_bytes(b"no array")
        (missing, _) = gz.evaluate(run, array_file, num=60, features=SMALL_SPACE).not_measured
        assert missing.reason == "training-set-unusable" and "mine.npy" in missing.text
        saved(mine, blobs(60, 16, seed=9))
        assert "not those" in gz.evaluate(run, num=60, features=SMALL_SPACE, only=["recall"]).notes[0]

    def test_training_images_that_are_too_few_are_not_said_to_be_elsewhere(self, folder, tmp_path):
        run = gz.train(folder, recipe=small(), images=8, out=tmp_path / "runs")
        with pytest.raises(DataError, match="needs 50") as caught:
            gz.evaluate(run, num=60, features=SMALL_SPACE)
        assert "elsewhere" not in caught.value.hint

    def test_training_images_that_are_too_few_are_not_said_to_be_gone(self, array_file, tmp_path):
        mine = saved(tmp_path / "mine.npy", blobs(40, 16))
        run = gz.train(mine, recipe=small(), images=8, out=tmp_path / "runs")
        found = gz.evaluate(run, array_file, num=60, features=SMALL_SPACE)
        assert {each.reason for each in found.not_measured} == {"training-set-too-few"}
        text = found.not_measured[0].text
        assert "mine.npy has 40 images" in text and "needs 50" in text and "any more" not in text
        code, told, complaint = call("eval", run.path, array_file, "--n", 60, "--features", SMALL_SPACE)
        assert code == 0 and "not there any more" not in told + complaint

    @pytest.mark.parametrize(
        "arguments",
        [{"num": 49}, {"num": -1}, {"seed": -1}, {"features": "inceptoin"}, {"only": ["fid"]}],
    )
    def test_mistakes(self, run, arguments):
        with pytest.raises(UsageError):
            gz.evaluate(run, **arguments)


class TestHowOthersAreRead:
    """What is assumed about images that a run is compared with is said, as ``check`` says it."""

    def notes(self, run, data) -> str:
        return " ".join(gz.evaluate(run, data, num=60, only=["spectrum-distance"], progress=False).notes)

    def test_the_range_of_the_run(self, tmp_path):
        """It is for images of 12 bits, and 8-bit ones are nearly black with it."""
        deep = saved(tmp_path / "deep.npy", blobs(60, 16).astype(np.uint16) * 16)
        run = gz.train(deep, range="0:4095", recipe=small(), images=16, out=tmp_path / "runs", progress=False)
        notes = self.notes(run, saved(tmp_path / "others.npy", blobs(60, 16, seed=5)))
        assert "is read with the run's --range 0:4095" in notes and "almost black" in notes

    def test_frames(self, run, tmp_path):
        for number in range(60):
            first, second = (Image.fromarray(each) for each in blobs(2, 16, seed=number))
            first.save(tmp_path / f"{number}.tif", save_all=True, append_images=[second])
        notes = self.notes(run, tmp_path)
        assert "60 files with several frames" in notes and "with the default options" in notes

    def test_what_sources_note(self, run, tmp_path):
        deep = saved(tmp_path / "deep.npy", blobs(60, 16).astype(np.float32) / 255)
        assert "read as black" in self.notes(run, deep)

    @pytest.mark.parametrize("number", [60, 20])
    @pytest.mark.parametrize("stored", ["L", "RGB"])
    def test_grey_read_as_colour(self, run, tmp_path, number, stored):
        for at, each in enumerate(blobs(60, 16, seed=5)):
            image = Image.fromarray(each)
            (image.convert("L").convert(stored) if at < number else image).save(tmp_path / f"{at}.png")
        grey = run if number < 60 or stored == "RGB" else self.run_in_colour(tmp_path / "runs")
        which = "All images are" if number == 60 else f"{number} of 60 images are"
        assert f"{which} grey, and read as colour." in self.notes(grey, tmp_path)

    def run_in_colour(self, folder):
        data = saved(folder.with_suffix(".npy"), blobs(60, 16))
        return gz.train(data, channels=3, recipe=small(), images=16, out=folder, progress=False)

    def test_nothing_is_said_of_colour(self, run, tmp_path):
        assert self.notes(run, saved(tmp_path / "others.npy", blobs(60, 16, seed=5))) == ""

    def test_labels_that_are_rejected(self, run, tmp_path):
        np.savez(tmp_path / "others.npz", images=blobs(60, 16, seed=5), labels=np.arange(59))
        notes = self.notes(run, tmp_path / "others.npz")
        assert "Labels were found but are not used: labels: int64 of the shape (59,)" in notes
        assert "default options" not in notes

    def test_too_few_images_for_unread_frames(self, run, tmp_path):
        frames = [Image.fromarray(each) for each in blobs(70, 16)]
        frames[0].save(tmp_path / "one.gif", save_all=True, append_images=frames[1:])
        with pytest.raises(DataError) as refused:
            gz.evaluate(run, tmp_path, num=60, features=SMALL_SPACE, progress=False)
        assert "and 69 are not" in refused.value.hint


def test_of_images_that_are_all_alike_it_says_so(run, monkeypatch):
    monkeypatch.setattr(type(gz.open_run(run.path).diagnose()), "alike", "mode-collapse")
    (note,) = gz.evaluate(run, num=60, only=["spectrum-distance"]).notes
    assert "mode-collapse" in note and "alike" in note


class TestCommand:
    def test_json(self, run, tmp_path):
        sheet = tmp_path / "suspects.png"
        options = ["--n", 60, "--features", SMALL_SPACE, "--out", sheet, "--json"]
        code, told, _ = call("eval", run.path, *options)
        assert code == 0
        metrics = json.loads(told)["metrics"]
        assert {each["name"] for each in metrics} == set(figure_names()) - {"fid", "nearer_than_held_out"}
        for each in metrics:
            assert each["low"] <= each["value"] <= each["high"]
            assert each["num_samples"] == 60 and each["features"] in (SMALL_SPACE, "pixels")
        with Image.open(sheet) as image:
            assert image.size == (6 * 18 - 2, 8 * 18 - 2)

    def test_text(self, run):
        code, told, _ = call("eval", run.path, "--n", 60, "--features", SMALL_SPACE, "--only", "recall")
        assert code == 0
        assert told.splitlines()[1].startswith("recall") and "precision" not in told
        assert "60 generated against 60 real images" in told and SMALL_SPACE in told

    @pytest.mark.parametrize("only", [["recall,coverage"], ["recall", "--only", "coverage"]])
    def test_several_metrics(self, run, only):
        code, told, _ = call(
            "eval", run.path, "--n", 60, "--features", SMALL_SPACE, "--only", *only, "--json"
        )
        assert code == 0
        assert {each["name"] for each in json.loads(told)["metrics"]} == {"recall", "coverage"}

    def test_real_images_that_are_all_alike(self, run, tmp_path):
        alike = saved(tmp_path / "alike.npy", np.full((60, 16, 16, 3), 128, np.uint8))
        options = ["--n", 60, "--features", SMALL_SPACE, "--only", "diversity"]
        code, told, complaint = call("eval", run.path, alike, *options, "--json")
        assert code == 0, complaint
        (figure,) = json.loads(told)["metrics"]
        assert figure["value"] is None and figure["num_reals"] == 60
        assert "infinite" in call("eval", run.path, alike, *options)[1]

    def test_memory_that_runs_out(self, run, monkeypatch):
        def full(*_):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

        monkeypatch.setattr("ganzfeld.training.evaluation.measure", full)
        code, _, told = call("eval", run.path, "--n", 60, "--features", SMALL_SPACE)
        assert code == 6 and "60 images on each side" in told and "--n" in told and "--batch" not in told

    def test_what_is_refused(self, run, folder, array_file, tmp_path):
        grey = saved(tmp_path / "grey.npy", blobs(60, 16, channels=1))
        options = ["--n", 60, "--features", SMALL_SPACE]
        code, _, told = call("eval", run.path, folder, *options)
        assert code == 3 and "30 images" in told and "50" in told
        code, _, told = call("eval", run.path, grey, *options)
        assert code == 3 and "grey" in told and "colour" in told
        assert call("eval", run.path, tmp_path / "absent", *options)[0] == 3
        assert call("eval", run.path, "--n", 10)[0] == 2
        assert call("eval", run.path, *options, "--out", tmp_path / "sheet.jpg")[0] == 2
        code, told, _ = call("eval", tmp_path / "absent", *options, "--json")
        assert code == 2 and "absent" in json.loads(told)["error"]

    def test_a_run_without_a_model_and_a_damaged_one(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=8, out=tmp_path)
        weights = run.path / "model" / "last" / "generator.safetensors"
        weights.write_bytes(weights.read_bytes()[:-40])
        options = ["--n", 60, "--features", SMALL_SPACE]
        code, _, told = call("eval", run.path, *options)
        assert code == 5 and "damaged" in told
        weights.unlink()
        code, _, told = call("eval", run.path, *options)
        assert code == 2 and "holds no model" in told

    def test_a_grey_run_against_colour(self, array_file, tmp_path):
        grey = saved(tmp_path / "grey.npy", blobs(60, 16, channels=1))
        run = gz.train(grey, recipe=small(), images=8, out=tmp_path / "runs")
        assert call("eval", run.path, "--n", 60, "--features", SMALL_SPACE, "--json")[0] == 0
        code, _, told = call("eval", run.path, array_file, "--n", 60, "--features", SMALL_SPACE)
        assert code == 3 and "colour" in told


def test_train_tells_the_distance(array_file, tmp_path, monkeypatch):
    settings = ["--set", "generator.width=8", "--set", "discriminator.width=8", "--size", 16]
    command = ["train", array_file, "--images", 16, "--out", tmp_path, *settings]
    assert "quality  not measured: GANZFELD_FEATURES is none" in call(*command)[1]
    monkeypatch.setenv("GANZFELD_FEATURES", SMALL_SPACE)
    code, told, _ = call(*command, "--json")
    assert code == 0
    found = json.loads(told)
    assert found["kernel_distance"] > 0 and found["kernel_distance_error"] > 0
    assert found["best_at_images"] == 16 and found["model"].endswith("best")
    again = json.loads(call("resume", found["run"], "--json")[1])
    assert again["kernel_distance"] == found["kernel_distance"]
    assert "quality  kernel distance" in call("resume", found["run"])[1]
