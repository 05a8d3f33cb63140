"""Measure what the doctor compares runs with: ``limits.json`` and ``expected.json`` in ``health/``.

``limits.json`` holds the ranges of readings in healthy runs, ``expected.json`` the images that runs needed
until theirs varied.

    python tools/doctor_limits.py [--seeds 100-108] [--by-class 100-108] [--long 100-103] [--processes 2]
        [--device cpu] [--runs runs/doctor] [--finished]

Every built-in recipe is trained in small and short runs (``doctor_runs.py``) on two datasets with each seed,
and ``modern`` by class on one of them. Longer runs give the ranges after the end of the short ones. Finished
runs are read, so the command can be interrupted and repeated. The seeds are not those of ``doctor_suite.py``.

Only runs that ended well count, whatever they showed on the way (``ended_well``).

Narrow networks behave differently from wide ones: the limits of narrow networks come from the small runs
alone, those of wide ones (``WIDE``) from all runs. Runs by class do not count for runs without classes.

A limit is the range, in one phase of training, of the number that detectors compare: the mildest of the
latest values (``ganzfeld.health.symptoms.persisted``). Each run contributes its extremes in the phase. Among
the runs of one recipe on one dataset, the limit lies three times as far from the median run as the most
extreme run: with exponential tails and eight runs, a healthy run is outside with a probability of 1 in 54
(with four runs: 1 in 13). The limit of a recipe is the wider one of its two datasets, which makes the
probability 1 in 240 (1 in 44) if both are alike. The widest limit of all applies to recipes without limits of
their own; for steady readings (``STEADY``) it is the middle one. If a reading hardly varies among healthy
runs, the limit leaves at least the room that ``ROOM`` defines.
"""

import argparse
import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from doctor_runs import (
    BATCHES,
    BY_CLASS,
    DATA,
    Journal,
    Plan,
    is_finished,
    numbers_of,
    read,
    train_all,
    usual_steps,
)

import ganzfeld.health
from ganzfeld.durable import write_bytes
from ganzfeld.health.derived import series_of
from ganzfeld.health.detectors import detectors
from ganzfeld.health.expectation import Expectation
from ganzfeld.health.learned import learned
from ganzfeld.health.limits import Limit
from ganzfeld.health.symptoms import persisted, steps_of
from ganzfeld.metrics.measures.memorisation import USUAL

STRETCH = 3.0
PHASES = (0, 64, 128, 256, 512, 1024, 2048, 4096)
"""Steps at which the phases begin; the last phase has no end."""

LONGER = [
    ("modern", ("faces", "fashion"), 8192, None),
    ("modern", ("faces", "fashion"), 2048, 64),
    ("radford2015", ("faces", "fashion"), 1024, 32),
    ("seed", ("faces", "fashion"), 1024, 32),
    ("radford2015", ("faces",), 64, 64),
    ("seed", ("faces",), 64, 64),
]
"""Recipe, datasets, steps and size of longer runs. With a size, the recipe has its own networks; with None,
small ones."""

WIDE = 16
"""Generator width from which the runs with a recipe's own networks count besides the small ones. It is
between the width of the small runs, 8, and the smallest of a built-in recipe, 32."""

LEAST_RUNS = 8
"""A phase that fewer healthy runs have reached, or not all of the recipes, has no limit."""

GOOD = 0.4
"""The least quality at the end of a run that counts as healthy."""
LEAST_STEPS = 256
"""Shorter runs do not say when images vary."""
IN_A_ROW = 3
FEWEST = 4
"""Fewer runs say nothing about others of their kind."""

SMALLEST_SHARE = 0.02
EXPECTED = {"memorised": USUAL}
"""Values of a perfect generator, which short runs do not reach; a limit leaves room beyond these too."""

ROOM = {"share": 1.0, "ratio": 0.5, "plain": 0.1}
"""The least room between the median run and the limit, on the scale of the reading."""

STEADY = {"growth_generator", "growth_discriminator"}
"""Readings that mean the same in all recipes, since they compare a run with itself. For recipes without
limits of their own, the middle one of the limits of all recipes holds for these, not the widest: all healthy
runs lie within it. Of logits they do not, since those of ``modern`` are ten times as large as of ``seed``.
"""

PLAIN = {"checkerboard"}
"""Readings that may be negative, compared as they are."""

SHARES = {
    *("separation", "overlap", "dead_generator", "dead_discriminator", "stuck", "twins", "latent_share"),
    *("recall", "coverage", "memorised", "saturated_excess"),
}
"""Readings from 0 to 1, compared by their log odds. Values within 0.02 of an end count as 0.02 from it; if
healthy runs come that near, there is no limit on that side."""


def main() -> None:
    """Train the runs and write the file."""
    parser = argparse.ArgumentParser(description="Measure the ranges of readings in healthy runs.")
    parser.add_argument("--seeds", default="100-108")
    parser.add_argument("--by-class", default="100-108", help="Seeds of the runs by class; empty: none.")
    parser.add_argument("--long", default="100-103", help="Seeds of the longer runs.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    parser.add_argument("--finished", action="store_true", help="Write expected.json of the finished runs.")
    options = parser.parse_args()
    plans = usual_plans(numbers_of(options.seeds))
    plans += plans_by_class(numbers_of(options.by_class) if options.by_class else [])
    plans += long_plans(numbers_of(options.long))
    if options.finished:
        finished = [plan for plan in plans if is_finished(plan, options.runs)]
        _write_expectations(
            [read(plan, options.runs) for plan in finished],
            f"python tools/doctor_limits.py --finished: {len(finished)} of {len(plans)} runs",
        )
        return
    journals = list(train_all(plans, options.runs, options.processes, options.device))
    good = [journal for journal in journals if ended_well(journal)]
    print(f"{len(good)} of {len(journals)} runs ended well and set the limits")
    limits = limits_of(good)
    by_class = f", modern by class on {', '.join(BY_CLASS)}" if options.by_class else ""
    lengths = sorted({usual_steps(name, data) for name in BATCHES for data in DATA})
    source = (
        f"python tools/doctor_limits.py --seeds {options.seeds} --by-class={options.by_class} "
        f"--long {options.long}: "
        f"{len(good)} of {len(plans)} runs, those that ended well, "
        f"{', '.join(BATCHES)} at 32 px and width 8 on {', '.join(DATA)}{by_class}, "
        f"{', '.join(map(str, lengths))} steps, and "
        "longer ones of "
        + ", ".join(
            f"{name} ({steps}{f', its own networks at {size} px' if size else ''})"
            for name, _, steps, size in LONGER
        )
    )
    folder = Path(ganzfeld.health.__file__).parent
    write_bytes(folder / "limits.json", _limits_as_json(source, limits).encode())
    print(f"wrote the limits of {len(limits)} readings to {folder / 'limits.json'}")
    _write_expectations(journals, source)


def _write_expectations(journals: Sequence[Journal], source: str) -> None:
    path = Path(ganzfeld.health.__file__).parent / "expected.json"
    kinds = [json.dumps(asdict(kind)) for kind in expectations_of(journals)]
    content = ",\n    ".join(kinds)
    text = f'{{\n  "source": {json.dumps(source)},\n  "kinds": [\n    {content}\n  ]\n}}\n'
    write_bytes(path, text.encode())
    print(f"wrote the expectations of {len(kinds)} kinds of runs to {path}")


def ended_well(journal: Journal) -> bool:
    """Check what became of a run without a planted fault: varied images, of a good quality."""
    case = journal.case()
    recent = series_of(case, "quality").values[-IN_A_ROW:]
    return not learned(case).is_little and len(recent) > 0 and float(np.mean(recent)) >= GOOD


def expectations_of(journals: Sequence[Journal]) -> list[Expectation]:
    """Compute after how many images runs were varied, by recipe, for narrow and for wide networks."""
    kinds: dict[tuple[str, int], list[tuple[int | None, int, int]]] = {}
    for journal in journals:
        case = journal.case()
        if journal.plan.steps >= LEAST_STEPS:
            width = 0 if journal.plan.size is None else WIDE
            kinds.setdefault((case.kind, width), []).append(
                (varied_from(journal), case.images_seen, journal.recipe["batch"])
            )
    return [
        Expectation(
            recipe,
            width,
            tuple(sorted(images for images, *_ in runs if images is not None)),
            len(runs),
            max(length for _, length, _ in runs),
            max(batch for *_, batch in runs),
        )
        for (recipe, width), runs in sorted(kinds.items())
        if len(runs) >= FEWEST
    ]


def varied_from(journal: Journal) -> int | None:
    """Return the images after which a run had varied images at three looks in a row; None if it never had."""
    case, in_a_row = journal.case(), 0
    for look, entry in enumerate(journal.entries):
        in_a_row = 0 if learned(case.until(entry["images_seen"])).is_little else in_a_row + 1
        if in_a_row == IN_A_ROW:
            return journal.entries[look - IN_A_ROW + 1]["images_seen"]
    return None


def _limits_as_json(source: str, limits: dict[str, list[dict[str, Any]]]) -> str:
    """Return the content of the file as JSON, with one limit per line."""
    readings = [
        f"    {json.dumps(name)}: [\n"
        + ",\n".join(f"      {json.dumps(limit)}" for limit in by_phase)
        + "\n    ]"
        for name, by_phase in limits.items()
    ]
    return f'{{\n  "source": {json.dumps(source)},\n  "limits": {{\n' + ",\n".join(readings) + "\n  }\n}\n"


def usual_plans(seeds: Sequence[int]) -> list[Plan]:
    """Return plans of healthy runs of every recipe on every dataset, with quality measurements."""
    return [Plan(data, recipe, seed, judged=True) for seed in seeds for data in DATA for recipe in BATCHES]


def plans_by_class(seeds: Sequence[int]) -> list[Plan]:
    """Return plans of healthy runs by class."""
    return [Plan(data, "modern", seed) for seed in seeds for data in BY_CLASS]


def long_plans(seeds: Sequence[int]) -> list[Plan]:
    """Return plans of the longer healthy runs."""
    return [
        Plan(data, recipe, seed, judged=True, num_steps=num_steps, size=size)
        for recipe, sets, num_steps, size in LONGER
        for seed in seeds
        for data in sets
    ]


def limits_of(journals: Sequence[Journal]) -> dict[str, list[dict[str, Any]]]:
    """Compute the limits of every reading that a detector uses, by phase, for every scope."""
    names = sorted({name for detector in detectors.names() for name in detectors.load(detector).READINGS})
    scopes: dict[LimitScope, list[Journal]] = {}
    for journal in journals:
        for scope in _scopes_of(journal):
            scopes.setdefault(scope, []).append(journal)
    # Limits of a recipe by class need at least one run by class.
    scopes = {
        scope: runs
        for scope, runs in scopes.items()
        if not scope.by_class or any(run.plan.is_by_class for run in runs)
    }
    limits = {
        name: [limit for scope, runs in scopes.items() for limit in _limits(name, runs, scope)]
        for name in names
    }
    return {name: [_rounded(limit) for limit in by_phase] for name, by_phase in limits.items() if by_phase}


class LimitScope(NamedTuple):
    """The runs that share a limit; see ``ganzfeld.health.limits.Limit``."""

    recipe: str
    width: int
    by_class: bool


def _scopes_of(journal: Journal) -> Iterator[LimitScope]:
    """Yield the scopes whose limits a run counts for.

    Later phases of one recipe do not count for all recipes, wide networks do not count for narrow ones, and
    runs by class do not count for runs without classes.
    """
    plan, recipe = journal.plan, journal.recipe
    own = f"{recipe['name']} {recipe['loss']['name']}"
    for name in (own,) if plan.is_longer else ("", own):
        for width in (0, WIDE) if plan.size is None else (WIDE,):
            for by_class in (True,) if plan.is_by_class else (False, True):
                yield LimitScope(name, width, by_class)


def _limits(name: str, journals: Sequence[Journal], scope: LimitScope) -> Iterator[Limit]:
    """Yield the limits of a reading by phase, from journals that all count for this scope."""
    read = []
    for journal in journals:
        case = journal.case()
        group = (journal.plan.data, journal.plan.recipe, journal.plan.steps, journal.plan.size)
        series = series_of(case, name)
        sides = [persisted(series, side)[0] for side in ("low", "high")]
        steps = steps_of(case, series)
        # At the same step the schedule of a longer run differs from that of a short one.
        is_longer = journal.plan.is_longer
        later = steps > usual_steps(journal.plan.recipe, journal.plan.data) if is_longer else steps >= 0
        # The later half of a run counts for the steps after its end.
        counts_from = journal.plan.steps / 2 if is_longer or journal.plan.size else np.inf
        read.append((group, counts_from, steps[later], *(side[later] for side in sides)))
    # The early values of some recipes do not count for the others if these have the reading too.
    recipes = {group[1] for group, *_, high in read if np.isfinite(high).any()}
    furthest = max((journal.plan.steps for journal in journals), default=0)
    for begin, end in zip(PHASES, (*PHASES[1:], np.inf), strict=True):
        if begin > furthest:
            break
        lows, highs = ([] for _ in range(2))
        for group, counts_from, steps, low, high in read:
            in_phase = (steps >= min(begin, counts_from)) & (steps < end) & np.isfinite(high)
            if in_phase.any():
                lows.append((group, low[in_phase]))
                highs.append((group, high[in_phase]))
        if len(highs) < LEAST_RUNS or {group[1] for group, _ in highs} != recipes:
            continue
        of_all = not scope.recipe
        least, most = -_furthest(lows, -1, name, of_all), _furthest(highs, 1, name, of_all)
        pairs = zip(lows, highs, strict=True)
        share = float(np.mean([np.mean((low >= least) & (high <= most)) for (_, low), (_, high) in pairs]))
        yield Limit(least, most, share, len(highs), begin, *scope)


def _furthest(values_by_run: list[tuple[Hashable, np.ndarray]], sign: int, name: str, of_all: bool) -> float:
    """Return the widest limit of all groups of runs on one side: high for ``sign`` 1, negated low for -1.

    ``of_all``: the groups are of all recipes, where the middle limit of a steady reading counts.
    """
    to, back = _scale(name)
    groups: dict[Hashable, list[float]] = {}
    for group, values in values_by_run:
        groups.setdefault(group, []).append(float(np.max(sign * to(values))))
    ends = []
    for extremes in groups.values():
        middle = float(np.median(extremes))
        ends.append(middle + max(STRETCH * (max(extremes) - middle), ROOM[_kind(name)]))
    if of_all and name in STEADY:
        ends = [float(np.median(ends))]
    if name in EXPECTED:
        ends.append(sign * float(to(np.array(EXPECTED[name]))) + ROOM[_kind(name)])
    if _kind(name) == "share":
        nearest = max(max(extremes) for extremes in groups.values())
        if nearest >= _log_odds(np.array(1.0)):  # the same on both sides
            return 1.0 if sign > 0 else -0.0
    return sign * float(back(np.array(sign * max(ends))))


def _kind(name: str) -> str:
    return "plain" if name in PLAIN else "share" if name in SHARES else "ratio"


def _scale(name: str) -> tuple[Callable, Callable]:
    """Return the functions to the scale on which a reading is compared, and back."""
    if name in PLAIN:
        return np.asarray, np.asarray
    if name in SHARES:
        return _log_odds, lambda odds: 1 / (1 + np.exp(-odds))
    return lambda values: np.log(np.maximum(values, 1e-12)), np.exp


def _log_odds(shares: np.ndarray) -> np.ndarray:
    inside = np.clip(shares, SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    return np.log(inside / (1 - inside))


def _rounded(limit: Limit) -> dict[str, Any]:
    return asdict(limit) | {name: float(f"{getattr(limit, name):.4g}") for name in ("low", "high", "share")}


if __name__ == "__main__":
    main()
