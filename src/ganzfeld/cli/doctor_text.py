"""A verdict in words: what is wrong, how it is seen, why it may be so, and the command that does better."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ganzfeld.cli.commands import commands as known_commands
from ganzfeld.cli.options import words_of
from ganzfeld.health import Diagnosis, Finding, Remedy
from ganzfeld.printable import in_shell, printable
from ganzfeld.runs import Run
from ganzfeld.runs.metadata import RunMetadata

WIDEST = 100
"""Columns; longer lines are hard to read."""

_LABEL = 9


def doctor_text(run: Run, verdict: Diagnosis, commands: Mapping[str, Sequence[str]]) -> str:
    """The whole verdict for people; ``commands`` are the remedies as command lines, by finding, in order."""
    return "\n".join(_lines(run, verdict, commands))


def train_again(path: Path, metadata: RunMetadata, remedy: Remedy) -> str:
    """The command that trains the same again with a remedy; empty where no setting helps."""
    if not remedy.settings:
        return ""
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
    """The sheets in which a finding can be seen: the last one before it began, and the newest one."""
    sheets = run.sample_files
    before = [sheet for sheet in sheets if int(sheet.stem) <= finding.since_images]
    return list(dict.fromkeys([*before[-1:], *sheets[-1:]]))


def _lines(run: Run, verdict: Diagnosis, commands: Mapping[str, Sequence[str]]) -> Iterator[str]:
    planned = run.evidence.planned_images
    final = run.metadata.final
    is_finished = final is not None and final.at_images == verdict.images_seen
    of = f" of {planned:,}" if planned and planned > verdict.images_seen and not is_finished else ""
    yield from _wrapped(f"{verdict.verdict}: {verdict.meaning}")
    yield f"{printable(run.path.name)} after {verdict.images_seen:,}{of} images"
    if (every := run.journal_every) > 1:
        yield f"its journal is long: one line of {every:,} was read"
    for trial in run.metadata.trials:
        yield from _wrapped(trial.summary, "tried")
    for finding in verdict.findings:
        yield ""
        yield from _about(finding, commands[finding.name], images_of(run, finding))
    for each in verdict.opposed:
        yield ""
        yield from _wrapped(each.sentence)
    if not verdict.num_judged:
        yield ""
        yield from _wrapped(_why_unknown(run))
    elif verdict.unjudged:
        yield ""
        reasons = "; ".join(f"{each.name} ({each.why})" for each in verdict.unjudged)
        yield from _wrapped(f"not judged: {reasons}")


def _about(finding: Finding, commands: Sequence[str], images: list[Path]) -> Iterator[str]:
    since = f"since {finding.since_images:,} images" if finding.since_images else "from the beginning"
    yield f"{finding.severity.ljust(_LABEL)}{finding.name}, {since}"
    rows = [("seen by", evidence.text + ".") for evidence in finding.evidence]
    rows += [("images", " and ".join(map(_shortest, images)))] if images else []
    rows.append(("cause", finding.cause))
    rows += list(zip(("remedy", "or else"), (remedy.text for remedy in finding.remedies), strict=False))
    shown = ""
    for label, text in rows:
        said = text if label == "images" else text[:1].upper() + text[1:]
        yield from _wrapped(said, "" if label == shown else label)
        shown = label
    # Commands are told on one line each, to be copied.
    if finding.experiment and "lab" in known_commands.names():
        yield f"{'see it'.ljust(_LABEL)}ganzfeld lab run {finding.experiment}"
    for label, command in zip(("try", "or else"), filter(None, commands), strict=False):
        yield f"{label.ljust(_LABEL)}{printable(command, 5_000)}"


def _why_unknown(run: Run) -> str:
    """What a person can do about a run that cannot be judged."""
    entries = run.journal
    if not entries and (run.history.all() or run.metadata.final):
        return (
            f"{_shortest(run.path / 'journal.jsonl')} is gone or empty, and with it what this run has shown."
        )
    if not entries:
        return "Nothing has been written down yet. Ask again in some seconds, if it is training."
    if not any(entry.get("health") for entry in entries):
        return (
            "This run has no readings: it was trained by a version that took none, or for a moment only. "
            "Losses and mean logits, all that was written down, do not tell health from sickness. A run that "
            "is trained now takes readings."
        )
    final = run.metadata.final
    if final is not None and final.at_images > entries[-1]["images_seen"]:
        return (
            f"Its journal ends at {entries[-1]['images_seen']:,} images, and the training went on to "
            f"{final.at_images:,}: what it showed in between is lost."
        )
    if final is not None:
        return "It was read too few times to tell chance from sickness. A longer run is read more often."
    return "It was read too few times to tell chance from sickness. Ask again later."


def _shortest(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _wrapped(text: str, label: str | None = None) -> list[str]:
    """Text in lines that fit the terminal, beside a label where there is one."""
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
