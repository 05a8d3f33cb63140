"""FAULTS 33 and 36: every file and folder of a run damaged in every way, before every command that reads it.

Whatever a run folder holds: a command ends with a documented exit code and without a traceback, does not
hang, stays within bounds of memory, prints one JSON object, and changes nothing outside the run folder nor
what is the user's in it.
"""

import json
import multiprocessing
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import ganzfeld as gz
from ganzfeld.metrics.spaces import VARIABLE
from ganzfeld.strict_json import strict_json
from tests.faults import rewritten
from tests.faults.calls import Ended, call, command, warm
from tests.faults.damage import CONTENT, JSON, PLACE, Damage, outside_of
from tests.training.conftest import small

FIRST, LAST, FURTHER = 200, 320, 336
"""Images seen at the two checkpoints of the run, and the end that is then asked for."""

SAMPLE, SAMPLE_OF_SLOW = 30, 6
DOCUMENTED = {0, 2, 3, 4, 5, 6}
MOST_MB = 500
USERS = {"notes.txt": b"notes of the user", "samples/mine.jpg": b"a photo", "checkpoints/mine.bin": b"mine"}
"""Files of the user's in a run folder."""

FOLDERS = ["model", "model/last", "model/best", "samples", "checkpoints"]
SMALL_LAB = ["draws=1000", "networks=2", "width=8", "depth=2"]


def _python(run: Path) -> Callable[[], None]:
    """What can be read of a run in Python; our errors are answers."""

    def read() -> None:
        answers = [
            lambda: gz.open_run(run).recipe,
            lambda: gz.open_run(run).metadata.events,
            lambda: gz.open_run(run).journal,
            lambda: gz.open_run(run).position,
            lambda: gz.open_run(run).diagnose().as_json(),
            lambda: gz.open_run(run).sample(2),
            lambda: gz.open_run(run).classes,
            lambda: gz.load(run),
        ]
        told = {}
        for number, answer in enumerate(answers):
            try:
                told[number] = type(answer()).__name__
            except gz.errors.GanzfeldError as error:
                told[number] = error.message
        print(json.dumps(told))

    return read


COMMANDS: dict[str, tuple[str, list[str]]] = {
    "sample": ("none", ["sample", "RUN", "--n", "2", "--out", "new.png"]),
    "doctor": ("none", ["doctor", "RUN"]),
    "eval": ("random-convolutions", ["eval", "RUN", "--n", "50", "--only", "kernel-distance"]),
    "resume": ("none", ["resume", "RUN", "--images", str(FURTHER)]),
    "close": ("random-convolutions", ["resume", "RUN"]),
    "fork": ("none", ["resume", "RUN", "--from", str(FIRST), "--images", str(FIRST + 16)]),
    "lab": (
        "none",
        [
            "lab",
            "run",
            "leaky-slope",
            "--on",
            "RUN",
            "--out",
            "lab",
            *[f"--set={each}" for each in SMALL_LAB],
        ],
    ),
    "python": ("none", []),
}
"""By name: the feature space in which quality is measured, and what is called."""

SLOW = ["eval", "resume", "fork", "lab"]


@dataclass(frozen=True)
class Case:
    """A damage, by name and to which file or folder of the run, before a command."""

    command: str
    target: str
    damage: str


FOUND = [
    Case("fork", "samples/0.png", "a pipe"),
    Case("fork", "samples/0.png", "a link without end"),
    Case("fork", "journal.jsonl", "huge"),
]
"""What this file has found: waits without end and a gigabyte in memory, while a fork copied the past."""


@pytest.fixture(scope="module")
def made(array_file, tmp_path_factory) -> Path:
    """A finished run with two checkpoints and all else that a run has; with files of the user's in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "random-convolutions")
        out = tmp_path_factory.mktemp("made")
        run = gz.train(array_file, recipe=small("seed"), images=FIRST, out=out, progress=False)
        gz.resume(run.path, images=LAST, progress=False)
    for name, content in USERS.items():
        (run.path / name).write_bytes(content)
    warm()
    return run.path


def files_of(run: Path) -> list[str]:
    """The files of a run, but those of the user's."""
    found = (path.relative_to(run).as_posix() for path in sorted(run.rglob("*")) if path.is_file())
    return [name for name in found if name not in USERS]


def damages_of(run: Path) -> dict[str, dict[str, Damage]]:
    """All that can happen to each file and folder of a run as a whole, by name."""
    found: dict[str, dict[str, Damage]] = {name: dict(PLACE) for name in FOLDERS}
    for name in files_of(run):
        is_json = name.endswith((".json", ".jsonl"))
        found[name] = {**PLACE, **CONTENT, **(JSON if is_json else {})}
    found["samples"] |= rewritten.STRANGE_SHEETS
    found["checkpoints"] |= rewritten.STRANGE_CHECKPOINTS
    return found


def inner_damages_of(run: Path) -> dict[str, dict[str, Damage]]:
    """All that can happen to a single field or tensor in a file whose outer form is right, by name."""
    checkpoints = [f"checkpoints/{images_seen:012d}.safetensors" for images_seen in (FIRST, LAST)]
    best, last = (f"model/{which}/generator.safetensors" for which in ("best", "last"))
    return {
        **{name: rewritten.fields_of_json(run / name) for name in ("run.json", "recipe.json")},
        "journal.jsonl": rewritten.fields_of_journal(run / "journal.jsonl"),
        **{name: rewritten.hostile_checkpoints(run / name) for name in checkpoints},
        checkpoints[-1]: rewritten.hostile_checkpoints(run / checkpoints[-1])
        | rewritten.fields_of_checkpoint(run / checkpoints[-1]),
        best: rewritten.hostile_models(run / best) | rewritten.fields_of_model(run / best),
        last: rewritten.hostile_models(run / last),
    }


def cases_of(damages: dict[str, dict[str, Damage]], commands: list[str]) -> list[Case]:
    """Every damage to everything before each of these commands."""
    return [
        Case(each, target, name) for target, them in damages.items() for name in them for each in commands
    ]


def snapshot(folder: Path) -> dict[str, object]:
    """All that is in a folder: what files hold, and where links lead."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))  # noqa: PTH115
        elif path.is_file():
            found[name] = path.read_bytes() if path.stat().st_size < 2**24 else path.stat().st_size
        else:
            found[name] = "folder"
    return found


def tried(made: Path, case: Case, damage: Damage, room: Path) -> list[str]:
    """What is wrong with how a command takes a damage; nothing where it is as it should be."""
    folder = Path(tempfile.mkdtemp(prefix="case-", dir=room))
    try:
        run, standing = folder / "runs" / made.name, folder / "standing"
        shutil.copytree(made, run)
        standing.mkdir()
        outside = outside_of(folder)
        if damage(run / case.target, outside) is False:
            return []
        before, mine = snapshot(outside), kept(run, case.target)
        ended = called(case.command, run, standing)
        wrong = [*wrong_with(ended), *(["it changed what is outside"] if snapshot(outside) != before else [])]
        changed = [name for name, content in mine.items() if read(run / name) != content]
        beside = {path.name for path in run.parent.iterdir()} - {run.name, f"{run.name[:-3]}002"}
        wrong += [f"it changed {name}" for name in changed] + [f"it made {name}" for name in beside]
        return [f"{case.command}, {case.target}, {case.damage[:100]}: {each}" for each in wrong]
    finally:
        shutil.rmtree(folder)


def called(name: str, run: Path, standing: Path) -> Ended:
    """What came of a command for a run, in a folder to stand in."""
    space, arguments = COMMANDS[name]
    filled = [str(run) if each == "RUN" else each for each in [*arguments, "--json"]]
    return call(command(filled) if arguments else _python(run), standing, {VARIABLE: space})


def kept(run: Path, target: str) -> dict[str, bytes | None]:
    """What no command may change: files of the user's, and good checkpoints; not what was just damaged."""
    found = [
        *USERS,
        *(f"checkpoints/{at:012d}.{end}" for at in (FIRST, LAST) for end in ("safetensors", "sha256")),
    ]
    stem = target.rsplit(".", 1)[0]
    return {name: read(run / name) for name in found if not name.startswith(stem)}


def read(path: Path) -> bytes | None:
    """What a file holds; None if it is not there."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def wrong_with(ended: Ended) -> list[str]:
    """What a command may not do, whatever it was given."""
    if ended.code is None:
        return ["it hangs"]
    wrong = []
    if "Traceback" in ended.output + ended.errors:
        wrong.append(f"a traceback: {ended.errors[-1500:]}")
    if ended.code not in DOCUMENTED:
        wrong.append(f"it ended with {ended.code}: {ended.errors[-300:]}")
    if ended.peak_mb > MOST_MB:
        wrong.append(f"it took {ended.peak_mb:,.0f} MB")
    try:
        if not isinstance(strict_json(ended.output), dict):
            wrong.append(f"not a JSON object: {ended.output[:300]}")
    except ValueError as error:
        wrong.append(f"no JSON ({error}): {ended.output[:300]!r}")
    if any(mark in ended.output + ended.errors for mark in ("\x1b[31m", "\u202e")):
        wrong.append("a control character reaches the terminal")
    return wrong


def all_tried(made: Path, cases: list[Case], damages: dict, room: Path, num_processes: int) -> list[str]:
    """What is wrong in any of the cases."""
    if num_processes == 1:
        return [
            wrong for case in cases for wrong in tried(made, case, damages[case.target][case.damage], room)
        ]
    forks = multiprocessing.get_context("fork")
    with forks.Pool(num_processes, _hold, (made, damages, room)) as pool:
        return [wrong for found in pool.imap_unordered(_one, cases, chunksize=4) for wrong in found]


_held: tuple = ()


def _hold(*given: object) -> None:
    global _held
    _held = given


def _one(case: Case) -> list[str]:
    made, damages, room = _held
    return tried(made, case, damages[case.target][case.damage], room)


def report(wrong: list[str]) -> str:
    """The first of what went wrong, and how much there is."""
    return f"{len(wrong)} wrong:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("name", list(COMMANDS))
def test_undamaged_it_does_what_it_should(made, tmp_path, name):
    """The commands of the other tests work, so that a refusal there is one of the damage."""
    outside = outside_of(tmp_path)
    run = shutil.copytree(made, tmp_path / "runs" / made.name)
    ended = called(name, run, outside)
    assert (ended.code, wrong_with(ended)) == (0, []), ended.errors


def test_a_sample_of_damages(made, tmp_path):
    whole, inner = damages_of(made), inner_damages_of(made)
    both = {name: whole[name] | inner.get(name, {}) for name in whole}
    draw = random.Random(0)
    cases = draw.sample(cases_of(both, [name for name in COMMANDS if name not in SLOW]), SAMPLE)
    cases += draw.sample(cases_of(both, SLOW), SAMPLE_OF_SLOW) + FOUND
    wrong = all_tried(made, cases, both, tmp_path, 1)
    assert not wrong, report(wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_damage(made, tmp_path, name):
    damages = damages_of(made)
    wrong = all_tried(made, cases_of(damages, [name]), damages, tmp_path, len(os.sched_getaffinity(0)))
    assert not wrong, report(wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_field(made, tmp_path, name):
    """Commands that train or measure take each fourth field, another one each."""
    damages = inner_damages_of(made)
    cases = cases_of(damages, [name])
    if name in SLOW:
        cases = cases[SLOW.index(name) :: len(SLOW)]
    wrong = all_tried(made, cases, damages, tmp_path, len(os.sched_getaffinity(0)))
    assert not wrong, report(wrong)
