"""FAULTS 14: SIGKILL before and after every file that a run writes, at its end and in ``--auto`` too.

Each file takes its place by a rename, so that these are all the states in which a kill can leave a run
folder, but for temporary files (``test_saving.py``) and lines of the journal.
"""

import os
import signal
from pathlib import Path

import pytest

import ganzfeld as gz
from ganzfeld import own_folder
from ganzfeld.metrics.spaces import VARIABLE
from ganzfeld.model.files import WEIGHTS
from tests.faults.conftest import Child
from tests.training.conftest import small
from tests.training.test_auto import RATE, at_every_step, doctor, too_fast  # noqa: F401  a fixture

SAMPLE = 2
DECIDING = {"run.json", "recipe.json", "journal.jsonl", "verdict.json", "report.html"}
"""What ``--auto`` decides by, and what it says of it."""


def killed_at(work, number: int, *, after: bool, names: frozenset[str] | set[str] = frozenset()) -> bool:
    """Whether a fork that does ``work`` was killed at its rename of this number, 1 being the first.

    ``names``: of files of these names only.
    """

    def act(say) -> None:
        place, seen = own_folder._OpenFolder, 0
        rename = place.rename

        def struck(self, old: str, new: str) -> None:
            nonlocal seen
            if names and new not in names:
                return rename(self, old, new)
            seen += 1
            if seen == number and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(self, old, new)
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return None

        place.rename = struck
        work()

    child = Child(act)
    child.go()
    end = child.end()
    assert end.signal or end.code == 0, end.said
    return bool(end.signal)


def moments(thorough: bool, most: int, every: int = 1) -> list[tuple[int, bool]]:
    """Numbers of renames, and whether the kill comes after: each so many, or some of the first ``most``."""
    if thorough:
        return [(number, after) for number in range(1, 10_000, every) for after in (False, True)]
    return [(1 + round(index * most / SAMPLE), bool(index % 2)) for index in range(SAMPLE)]


def first_run(out: Path) -> Path | None:
    """The oldest run in a folder; None if none had begun."""
    found = sorted(path.parent for path in out.glob("*/recipe.json"))
    return found[0] if found else None


def models(run: gz.Run) -> list[bytes]:
    """The files of both models of a run."""
    return [(run.path / "model" / which / WEIGHTS).read_bytes() for which in ("last", "best")]


def whole(run: gz.Run) -> bool:
    """Whether all can be read, and nothing half written is left."""
    assert not list(run.path.rglob("*.part")), "what is half written is removed"
    run.model.generator.requires_grad_(False)
    return bool(run.journal) and (run.path / "report.html").exists() and (run.path / "verdict.json").exists()


def test_at_the_end_of_a_run(array_file, tmp_path, monkeypatch, thorough):
    """Trained, judged, kept, told: whatever was done of it, resuming does the rest, to the same bits."""
    monkeypatch.setenv(VARIABLE, "random-convolutions")
    options = {"recipe": small("seed"), "images": 16, "precision": "float32", "progress": False}
    straight = gz.train(array_file, out=tmp_path / "straight", **options)
    wanted = models(straight)
    for number, after in moments(thorough, 18):
        out = tmp_path / f"{number}-{after}"
        if not killed_at(lambda out=out: gz.train(array_file, out=out, **options), number, after=after):
            assert number > SAMPLE
            return
        path = first_run(out)
        if path is None:
            continue
        run = gz.resume(path, progress=False)
        assert whole(run)
        assert models(run) == wanted
        assert run.metadata.final == straight.metadata.final


@pytest.mark.parametrize("helps", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_in_a_course_of_auto(array_file, tmp_path, monkeypatch, helps, thorough):
    """A remedy is tried and kept, or undone, once: whatever had been written, resuming comes to that."""
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast if helps else lambda recipe: True))
    options = {
        "recipe": small(),
        "images": 160,
        "auto": True,
        "checkpoint_seconds": 1e-9,
        "progress": False,
    }
    for number, after in moments(thorough, 20, every=9):
        out = tmp_path / f"{number}-{after}"

        def train(out=out) -> None:
            gz.train(array_file, out=out, **options)

        if not killed_at(lambda out=out: gz.train(array_file, out=out, **options), number, after=after):
            assert number > SAMPLE
            return
        path = first_run(out)
        if path is None:
            continue
        run = gz.resume(path, progress=False)
        assert [trial.outcome for trial in run.metadata.trials] == ["kept" if helps else "undone"], (
            number,
            after,
        )
        assert whole(run)
        others = [gz.open_run(each.parent) for each in out.glob("*/recipe.json")]
        assert not any(other.metadata.open_trial for other in others)
        assert len(others) == 2
