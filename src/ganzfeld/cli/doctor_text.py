"""The text of a verdict: what is wrong, the evidence, the cause, and the command with the remedy."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ganzfeld.cli.commands import commands as known_commands
from ganzfeld.cli.options import words_of
from ganzfeld.data.kinds import IMAGE
from ganzfeld.health import Diagnosis, Finding, Remedy, parts_of_quality
from ganzfeld.printable import in_shell, printable
from ganzfeld.runs import Run, WatchedRun

WIDEST = 100
"""Columns; longer lines are hard to read."""

_LABEL = 9


def doctor_text(run: Run, verdict: Diagnosis, commands: Mapping[str, Sequence[str]]) -> str:
    """Return the verdict as text. ``commands`` maps each finding to its remedies as commands, in order."""
    return "\n".join(_lines(run, verdict, commands))


def train_again(run: Run, remedy: Remedy) -> str:
    """Return the command that repeats a run with a remedy; empty if the remedy has no setting."""
    if not remedy.settings:
        return ""
    path, metadata = run.path, run.metadata
    words = ["ganzfeld", "train", *([_shortest(Path(metadata.data))] if metadata.data else [])]
    words += ["--recipe", _shortest(path / "recipe.json")]
    words += ["--minutes", f"{metadata.minutes:.3g}"] if metadata.minutes is not None else []
    words += ["--images", str(metadata.images)] if metadata.images is not None else []
    words += words_of(metadata.preparation)
    words += ["--seed", str(metadata.seed)] if metadata.seed else []
    words += ["--out", _shortest(path.parent)] if path.parent != Path.cwd() / "runs" else []
    for setting in remedy.settings:
        words += ["--set", setting]
    return " ".join(map(in_shell, words))


def images_of(run: Run, finding: Finding) -> list[Path]:
    """Return the sample grids that show a finding: the last one before it began, and the newest one."""
    grids = run.sample_files
    before = [grid for grid in grids if int(grid.stem) <= finding.since_images]
    return list(dict.fromkeys([*before[-1:], *grids[-1:]]))


def _lines(run: Run, verdict: Diagnosis, commands: Mapping[str, Sequence[str]]) -> Iterator[str]:
    planned = run.evidence.planned_images
    final = run.final
    is_finished = final is not None and final.at_images == verdict.images_seen
    of = f" of {planned:,}" if planned and planned > verdict.images_seen and not is_finished else ""
    yield from _wrapped(f"{verdict.verdict}: {verdict.meaning}")
    yield f"{printable(run.path.name)} after {verdict.images_seen:,}{of} images"
    if (every := run.journal_every) > 1:
        yield f"the journal is long: only every {every:,}th line was read"
    yield from _quality_lines(run, verdict)
    if verdict.forecast:
        yield from _wrapped(verdict.forecast.sentences, "expected")
    for trial in run.trials:
        yield from _wrapped(trial.summary, "tried")
    if isinstance(run, WatchedRun):
        yield from _wrapped(
            "A loop of your own, watched by gz.watch: its readings are compared with the ranges common to "
            "all recipes of Ganzfeld."
        )
    for finding in verdict.findings:
        yield ""
        yield from _finding_lines(finding, commands[finding.name], images_of(run, finding))
    for opposed in verdict.opposed:
        yield ""
        yield from _wrapped(opposed.sentence)
    if not verdict.num_judged and verdict.kind_of_data == IMAGE:
        yield ""
        yield from _wrapped(_why_unknown(run))
    elif verdict.unjudged:
        yield ""
        yield from _wrapped(f"not ruled out: {verdict.not_checked}")


def _quality_lines(run: Run, verdict: Diagnosis) -> Iterator[str]:
    """Yield the quality on the absolute scale, and its parts."""
    if not verdict.num_judged:
        return
    quality = verdict.learned.quality
    sentence = verdict.learned.sentence
    if quality is None:
        yield from _wrapped(f"not measured: {sentence}", "quality")
        return
    parts = ", ".join(f"{name} {value:.2f}" for name, value in parts_of_quality(run.evidence).items())
    yield from _wrapped(f"{quality:.2f} from 0 (untrained) to 1 (real): {sentence} ({parts})", "quality")


def _finding_lines(finding: Finding, commands: Sequence[str], images: list[Path]) -> Iterator[str]:
    since = f"since {finding.since_images:,} images" if finding.since_images else "from the beginning"
    yield f"{finding.severity.ljust(_LABEL)}{finding.name}, {since}"
    rows = [("evidence", evidence.text + ".") for evidence in finding.evidence]
    rows += [("images", " and ".join(map(_shortest, images)))] if images else []
    rows.append(("cause", finding.cause))
    rows += list(zip(("remedy", "or else"), (remedy.text for remedy in finding.remedies), strict=False))
    last_label = ""
    for label, text in rows:
        sentence = text if label == "images" else text[:1].upper() + text[1:]
        yield from _wrapped(sentence, "" if label == last_label else label)
        last_label = label
    # Commands are printed on one line each, so that they can be copied.
    if finding.experiment and "lab" in known_commands.names():
        yield f"{'see it'.ljust(_LABEL)}ganzfeld lab run {finding.experiment}"
    for line in finding.remedy.code:
        yield f"{'code'.ljust(_LABEL)}{printable(line, 5_000)}"
    for label, command in zip(("try", "or else"), filter(None, commands), strict=False):
        yield f"{label.ljust(_LABEL)}{printable(command, 5_000)}"


def _why_unknown(run: Run) -> str:
    """Return why a run cannot be diagnosed, and what to do."""
    entries = run.journal
    if not entries and (run.history.all() or run.final):
        return f"{_shortest(run.path / 'journal.jsonl')}, the record of this run, is missing or empty."
    if not entries:
        return "The journal is still empty. If the run is training, ask again in a few seconds."
    if not any(entry.get("health") for entry in entries):
        return (
            "This run has no readings: it was trained by a version that took none, or for a moment only. "
            "The losses and mean logits in its journal do not suffice for a verdict. New runs have "
            "readings."
        )
    final = run.final
    if final is not None and final.at_images > entries[-1]["images_seen"]:
        return (
            f"The journal ends at {entries[-1]['images_seen']:,} images, but the run was trained to "
            f"{final.at_images:,} images: the readings after that are lost."
        )
    if final is not None:
        return "There are too few readings to rule out chance. A longer run has more."
    return "There are too few readings yet to rule out chance. Ask again later."


def _shortest(path: Path) -> str:
    """Return a path relative to the current folder if it is inside, otherwise unchanged."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _wrapped(text: str, label: str | None = None) -> list[str]:
    """Wrap text to lines that fit the terminal, beside a label if there is one."""
    width = min(WIDEST, shutil.get_terminal_size().columns)
    first, rest = ("", "") if label is None else (label.ljust(_LABEL), " " * _LABEL)
    return textwrap.wrap(
        printable(text, 5_000),
        max(width, 40),
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
