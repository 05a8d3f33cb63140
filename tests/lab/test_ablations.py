"""The table of ablations: cells that change one thing, runs that can be interrupted, verdicts that turn."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from ganzfeld.errors import TrainingFailed, UsageError
from ganzfeld.lab.ablations import page as the_page
from ganzfeld.lab.ablations import results as making
from ganzfeld.lab.ablations.cells import (
    BASE,
    BY_KEY,
    CELLS,
    FIRST,
    GROUPS,
    SEEDS,
    Cell,
    Conditions,
    chosen_cells,
)
from ganzfeld.lab.ablations.changes import CHANGES, SubPixel, changed_networks
from ganzfeld.lab.ablations.kept import KEPT, all_results, read_kept, write_kept
from ganzfeld.lab.ablations.mixed import MixedTrainer
from ganzfeld.lab.ablations.page import page, write_pages
from ganzfeld.lab.ablations.results import Result, identity_of, read, read_all, trainer_of, write
from ganzfeld.lab.ablations.schedule import Clock, Task, missing, perform
from ganzfeld.lab.ablations.table import Row, false_discovery, holm, paired, table_of
from ganzfeld.lab.language import Phrase, without_chinese, words_in
from ganzfeld.recipes import changes
from ganzfeld.training.trainer import Trainer
from tests.cli.test_cli import call

IMAGES = 64


def made(cell: str, seed: int, distance: float, *, images: int = IMAGES, features: str = "own") -> Result:
    return Result(
        cell=cell,
        seed=seed,
        images=images,
        identity=identity_of(BY_KEY[cell], Conditions(images)),
        kernel_distance=distance,
        error=0.01,
        features=features,
        features_sha256=features,
        num_measured=1000,
        seconds=2.0,
        stopped_at=None,
        chip="chip",
        torch="2",
    )


def results_with(effect: float, spread: float = 0.02, cell: str = "clip") -> list[Result]:
    noise = np.random.default_rng(0).normal(0, spread, (2, 5))
    return [
        made(key, seed, 0.6 + 0.3 * seed + shift + float(noise[side, seed]))
        for seed in range(5)
        for side, (key, shift) in enumerate([(BASE, 0.0), (cell, effect)])
    ]


class TestCells:
    def test_each_changes_one_thing_of_its_counterpart(self):
        """One field, or one change; the optimizers of both networks are one thing."""
        for cell in CELLS:
            if cell.key == BASE:
                continue
            other = BY_KEY[cell.against]
            fields = {
                path.replace("discriminator.optimizer", "generator.optimizer")
                for path in changes(cell.recipe, since=other.recipe)
            }
            assert len(fields) + (cell.change != other.change) == 1, (cell.key, fields)

    def test_keys_and_groups(self):
        assert len(BY_KEY) == len(CELLS) >= 39
        assert {cell.group for cell in CELLS} == set(GROUPS)
        assert {cell.change for cell in CELLS} - {""} == {*CHANGES, "mixed-batches"}
        assert len({identity_of(cell, Conditions()) for cell in CELLS}) == len(CELLS)

    def test_the_first_come_after_their_counterparts(self):
        """In the order of the runs: also if it stops early, there are pairs."""
        tasks = missing([], CELLS, 5)
        places = {(task.cell.key, task.seed): place for place, task in enumerate(tasks)}
        assert len(places) == len(tasks) == 5 * len(CELLS)
        for place, (cell, seed) in enumerate(tasks):
            assert places[cell.against, seed] <= place, cell.key
        assert {task.cell.key for task in tasks[: 5 * len(FIRST)]} == set(FIRST)

    def test_counterparts_come_along(self):
        assert [cell.key for cell in chosen_cells(["loss-wasserstein-gp"])] == [
            *(BASE, "labels-hard", "loss-wasserstein", "loss-wasserstein-gp")
        ]
        with pytest.raises(UsageError, match="unknown cell 'clap'") as caught:
            chosen_cells(["clap"])
        assert "clip" in caught.value.hint


class TestChanges:
    @pytest.mark.parametrize("change", CHANGES)
    def test_makes_networks_of_the_same_images(self, change: str):
        recipe = BY_KEY[BASE].recipe
        networks = changed_networks(recipe, change, 3, 0)
        assert networks is not None
        generator, discriminator = networks
        images = generator(torch.randn(4, recipe.latent.size))
        assert images.shape == (4, 3, 32, 32) and discriminator(images).shape == (4,)
        again = changed_networks(recipe, change, 3, 0)
        assert again is not None
        assert all(map(torch.equal, generator.parameters(), again[0].parameters()))
        convolutions = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]
        assert len(convolutions) == (0 if change == "fully-connected" else 3)

    def test_icnr_begins_as_nearest_neighbours(self):
        networks = changed_networks(BY_KEY[BASE].recipe, "pixel-shuffle", 3, 0)
        assert networks is not None
        layers = [module for module in networks[0].modules() if isinstance(module, SubPixel)]
        assert len(layers) == 3
        blocks = layers[0](torch.randn(2, layers[0][0].in_channels, 4, 4))  # pyright: ignore
        assert torch.equal(blocks[:, :, ::2, ::2], blocks[:, :, 1::2, 1::2])

    def test_mixed_batches_go_through_d_together(self, array_file: Path):
        trainer = trainer_of(BY_KEY["d-batch-mixed"], 0, str(array_file))
        assert isinstance(trainer, MixedTrainer)
        sizes = []
        trainer.gan.discriminator.register_forward_pre_hook(
            lambda module, inputs: sizes.append(len(inputs[0]))
        )
        before = [weight.clone() for weight in trainer.gan.generator.parameters()]
        assert bool(trainer.advance().all_finite)
        assert sizes == [32, 32]
        assert not all(map(torch.equal, before, trainer.gan.generator.parameters()))


@pytest.fixture(scope="module")
def short(array_file: Path) -> Conditions:
    return Conditions(IMAGES, str(array_file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, short: Conditions) -> Path:
    """Results of two cells and two seeds."""
    folder, lines = tmp_path_factory.mktemp("results"), []
    cells = chosen_cells(["clip"])
    perform(folder, missing([], cells, 2), short, 2, lines.append)
    assert lines[0].startswith("4 runs of 64 images, 2 at a time, one thread each: about ")
    assert [line.partition(":")[0] for line in lines[1:]] == [f"{number} of 4" for number in range(1, 5)]
    return folder


class TestRuns:
    @pytest.mark.machine
    def test_one_is_measured_at_its_end(self, short: Conditions):
        short = replace(short, num_measured=50)
        result = making.make(BY_KEY["batch-64"], 0, short)
        assert result is not None and result.stopped_at is None and 0 < result.kernel_distance < 100
        assert making.make(BY_KEY["batch-64"], 0, short, lambda: False) is None

    @pytest.mark.machine
    def test_one_that_is_not_finite_tells_where(self, short: Conditions, monkeypatch: pytest.MonkeyPatch):
        short = replace(short, num_measured=50)
        whole = Trainer.real
        monkeypatch.setattr(Trainer, "real", lambda self: whole(self) * math.nan)
        result = making.make(BY_KEY["batch-64"], 0, short)
        assert result is not None and result.stopped_at == IMAGES and math.isfinite(result.kernel_distance)

    @pytest.mark.thorough
    def test_are_made_once(self, folder: Path, short: Conditions):
        results = read_all(folder, short)
        pairs = {(cell, seed) for cell in (BASE, "clip") for seed in range(2)}
        assert {(result.cell, result.seed) for result in results} == pairs
        assert all(math.isfinite(result.kernel_distance) for result in results)
        assert not missing(results, chosen_cells(["clip"]), 2)
        assert not read_all(folder, Conditions(IMAGES + 1, short.data))

    @pytest.mark.machine
    @pytest.mark.thorough
    def test_are_the_same_in_another_process(self, folder: Path, short: Conditions):
        kept = read(folder, BY_KEY[BASE], 1, short)
        again = making.make(BY_KEY[BASE], 1, short)
        assert kept is not None and again is not None
        assert again.kernel_distance == kept.kernel_distance

    def test_one_that_is_damaged_or_of_another_recipe_is_made_again(self, tmp_path: Path):
        clip = BY_KEY["clip"]
        write(made("clip", 0, 0.5), tmp_path)
        assert read(tmp_path, clip, 0, Conditions(IMAGES)) == made("clip", 0, 0.5)
        path = tmp_path / made("clip", 0, 0.5).path
        path.write_bytes(path.read_bytes()[:-9])
        assert read(tmp_path, clip, 0, Conditions(IMAGES)) is None
        write(made("clip", 0, 0.5).changed(identity="0" * 16), tmp_path)
        assert read(tmp_path, clip, 0, Conditions(IMAGES)) is None
        assert missing(read_all(tmp_path, Conditions(IMAGES)), [clip], 1) == [Task(clip, 0)]

    def test_spaces_are_not_mixed(self, tmp_path: Path):
        write(made("clip", 0, 0.5), tmp_path)
        write(made("clip", 1, 0.5, features="other"), tmp_path)
        with pytest.raises(UsageError, match="several feature spaces"):
            read_all(tmp_path, Conditions(IMAGES))

    def test_the_time_is_that_of_the_same_cells_or_of_the_same_batch(self):
        clock = Clock([made(BASE, 0, 0.5), made("batch-4", 0, 0.5).changed(seconds=9.0)], Conditions(IMAGES))
        tasks = [Task(BY_KEY[key], 1) for key in (BASE, "clip", "g-none-batch-4")]
        assert clock.seconds(tasks, 1) == 2 + 2 + 9
        assert clock.seconds(tasks, 2) == 9  # no run is shorter with more at a time
        clock.add(made("clip", 0, 0.5).changed(seconds=30.0))
        assert clock.seconds(tasks[:2], 2) == 30

    @pytest.mark.thorough
    def test_a_failure_is_named_and_the_others_are_made(self, tmp_path: Path, short: Conditions):
        lines: list[str] = []
        unknown = Cell("unknown", "base", "", "")
        tasks = [task._replace(cell=unknown) for task in missing([], [BY_KEY[BASE]], 1)]
        tasks += missing([], [BY_KEY[BASE]], 1)
        with pytest.raises(TrainingFailed, match="1 of 2 runs failed: unknown seed0"):
            perform(tmp_path, tasks, short, 2, lines.append)
        assert any("KeyError" in line for line in lines)
        assert read(tmp_path, BY_KEY[BASE], 0, short) is not None

    @pytest.mark.skipif(sys.platform == "win32", reason="launchers")
    def test_one_goes_on_only_below_the_process_that_started_it(self, monkeypatch: pytest.MonkeyPatch):
        goes_on: list[bool] = []
        monkeypatch.setattr(making, "make", lambda *_: goes_on.append(_[-1]()))
        for parent in (os.getppid(), os.getpid()):
            assert making.main([BASE, "0", str(IMAGES), "nowhere", str(parent)]) == 1
        assert goes_on == [True, False]

    @pytest.mark.thorough
    @pytest.mark.skipif(sys.platform == "win32", reason="signals")
    @pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGKILL"])
    def test_what_is_interrupted_leaves_no_process(self, number: str, tmp_path: Path, array_file: Path):
        """Also if it is killed while its runs are still being imported."""
        command = [*(sys.executable, "-m", "ganzfeld", "lab", "ablations", "--cells", "base", "--seeds", "1")]
        command += ["--images", "6000000", "--results", str(tmp_path), "--data", str(array_file)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stderr is not None
            process.stderr.readline()
            time.sleep(0.5)
            process.send_signal(signal.Signals[number])
            process.wait()
        with pytest.raises(ProcessLookupError):
            for _ in range(1200 if number == "SIGKILL" else 1):  # else the command has waited for them
                os.killpg(process.pid, 0)
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail("a run is left")


class TestKept:
    def test_stand_in_one_file_and_need_not_be_made_again(self, tmp_path: Path):
        conditions, results = Conditions(IMAGES), results_with(0.2)
        write_kept(reversed(results), tmp_path)
        kept = (tmp_path / KEPT).read_text()
        again = all_results(tmp_path / "none", tmp_path, conditions)
        assert missing(again, [BY_KEY["clip"]], 6) == [Task(BY_KEY["clip"], 5)]
        write_kept(again, tmp_path)
        assert (tmp_path / KEPT).read_text() == kept
        assert all_results(tmp_path / "none", tmp_path, Conditions(IMAGES + 1)) == []

    def test_a_result_of_the_folder_comes_before_one_that_is_kept(self, tmp_path: Path):
        conditions = Conditions(IMAGES)
        write_kept([made("clip", 0, 0.5), made("clip", 1, 0.5)], tmp_path)
        write(made("clip", 1, 0.7), tmp_path / "results")
        kept, newer = all_results(tmp_path / "results", tmp_path, conditions)
        assert (kept.kernel_distance, newer.kernel_distance) == (0.5, 0.7)
        write(made("clip", 2, 0.7, features="other"), tmp_path / "results")
        with pytest.raises(UsageError, match="several feature spaces"):
            all_results(tmp_path / "results", tmp_path, conditions)

    def test_a_damaged_file_is_named(self, tmp_path: Path):
        write_kept([made("clip", 0, 0.5)], tmp_path)
        (tmp_path / KEPT).write_bytes((tmp_path / KEPT).read_bytes()[:-9])
        with pytest.raises(UsageError, match="does not hold results"):
            all_results(tmp_path, tmp_path, Conditions(IMAGES))

    def test_the_published_pages_are_those_of_the_published_results(self, tmp_path: Path):
        docs = Path(__file__).parents[2] / "docs"
        results = read_kept(docs / KEPT, Conditions())
        if not results:
            assert not any((docs / name).exists() for name in the_page.PAGES.values()), "pages of no results"
            return
        write_pages(table_of(results, CELLS), results, Conditions(), SEEDS, tmp_path)
        for name in the_page.PAGES.values():
            assert (tmp_path / name).read_text() == (docs / name).read_text(), "ganzfeld lab ablations --page"


class TestTable:
    def test_paired_as_scipy(self):
        results = results_with(0.03)
        own = {result.seed: result for result in results if result.cell == "clip"}
        others = {result.seed: result for result in results if result.cell == BASE}
        test = paired(own, others)
        left, right = ([side[seed].kernel_distance for seed in range(5)] for side in (own, others))
        reference = stats.ttest_rel(left, right)
        assert test.probability == pytest.approx(reference.pvalue)
        interval = reference.confidence_interval(0.95)
        assert test.difference - test.half_width == pytest.approx(interval.low)
        assert paired(own, {}).num == 0 and paired({0: own[0]}, others).probability == 1.0

    def test_corrections_as_scipy(self):
        some = [0.001, 0.3, 0.012, 0.02, 1.0, 0.012]
        assert false_discovery(some) == pytest.approx(stats.false_discovery_control(some))
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    @pytest.mark.parametrize(("effect", "verdict"), [(-0.2, "better"), (0.2, "worse"), (0.0, "not decided")])
    def test_the_verdict_turns(self, effect: float, verdict: str):
        cells = chosen_cells(["clip"])
        base, clip = table_of(results_with(effect), cells)
        assert (base.verdict, clip.verdict) == ("base", verdict)
        assert clip.difference == pytest.approx(effect, abs=0.05) and clip.num_pairs == 5

    def test_a_pair_is_of_one_seed(self):
        """Between seeds the distances differ by 0.3 per seed; between cells of one seed by 0.2."""
        results = [result for result in results_with(0.2) if (result.cell, result.seed) != (BASE, 4)]
        row = table_of(results, chosen_cells(["clip"]))[1]
        assert row.num_runs == 5 and row.num_pairs == 4 and row.difference == pytest.approx(0.2, abs=0.05)

    def test_many_cells_need_more(self):
        """A probability that decides by itself decides nothing among all cells."""
        results = results_with(0.035)
        alone = table_of(results, chosen_cells(["clip"]))[1]
        (among,) = (row for row in table_of(results, CELLS) if row.cell.key == "clip")
        assert alone.probability == among.probability < 0.05
        assert (alone.verdict, among.verdict) == ("worse", "not decided")


class TestPage:
    def rows(self) -> tuple[list[Row], list[Result]]:
        results = results_with(-0.2)
        return table_of(results, chosen_cells(["clip", "g-relu"])), results

    def test_tells_what_is_missing(self):
        rows, results = self.rows()
        english, chinese = (page(lang, rows, results, Conditions(IMAGES), 5) for lang in ("en", "zh"))
        assert "Incomplete: the table rests on 10 runs, and 5 of 15 are missing." in english
        assert (
            "本表基于 10 次训练，应有 15 次，还缺 5 次" in chinese
            and "(`g-relu`) | `base` | 0/5 |" in chinese
        )
        assert "(`g-relu`) | `base` | 0 of 5 |" in english and "(`clip`) | `base` | 5 |" in english
        assert "better *" in english and "更好 *" in chinese and "`g-relu`." in english
        complete = [row for row in rows if row.cell.key != "g-relu"]
        assert "The table rests on 10 runs, 5 or more per cell." in page(
            "en", complete, results, Conditions(IMAGES), 5
        )

    def test_says_everything_in_chinese(self, monkeypatch: pytest.MonkeyPatch):
        """Also where runs stopped, and where nothing is missing or undecided."""
        lacking: set[str] = set()

        def noted(lang: str, text: object) -> str:
            lacking.update(without_chinese(text) if isinstance(text, Phrase) else ())
            return words_in(lang, text)

        monkeypatch.setattr(the_page, "words_in", noted)

        rows, results = self.rows()
        stopped = [row._replace(num_stopped=1) for row in rows if row.verdict != "not decided"]
        for some, of in ((rows, results), (stopped, results), (rows, [])):
            page("zh", some, of, Conditions(IMAGES), 5)
        assert lacking == set()

    def test_replaces_only_its_own(self, tmp_path: Path):
        rows, results = self.rows()
        for _ in range(2):
            write_pages(rows, results, Conditions(IMAGES), 5, tmp_path)
        (tmp_path / "ablations.zh.md").write_text("mine")
        with pytest.raises(UsageError, match="exists already"):
            write_pages(rows, results, Conditions(IMAGES), 5, tmp_path)


def test_command(tmp_path: Path):
    for result in results_with(0.2):
        write(result, tmp_path / "results")
    options = ["--cells", "clip", "--images", IMAGES, "--results", tmp_path / "results", "--docs", tmp_path]
    code, out, err = call("lab", "ablations", *options, "--json")
    assert (code, err) == (0, "")
    cells = json.loads(out)["cells"]
    assert [(cell["cell"], cell["num_runs"], cell["verdict"]) for cell in cells] == [
        ("base", 5, "base"),
        ("clip", 5, "worse"),
    ]
    code, out, _ = call("lab", "ablations", *options, "--page")
    assert (tmp_path / KEPT).exists()
    assert code == 0 and "clip" in out
    assert "(`clip`)" in (tmp_path / "ablations.md").read_text() and (tmp_path / "ablations.zh.md").exists()
    assert call("lab", "ablations", "--cells", "clap")[0] == 2
