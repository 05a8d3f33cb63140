"""Measures ``src/ganzfeld/health/limits.json``: the ranges of all readings in healthy runs.

    python tools/doctor_limits.py [--seeds 100-107] [--by-class 100-107] [--long 100-103] [--processes 2]
        [--runs runs/doctor]

Trains every built-in recipe, small and short (``doctor_runs.py``), on two sets of images with each seed,
``modern`` by class on one of them, and longer ones, for what is usual after the end of the short ones. What
was made before is read, so that the command can be interrupted and repeated. The seeds are not those of
``doctor_suite.py``.

Narrow networks go other ways than wide ones: the limits of narrow ones are those of the small trainings
alone, and those of wide ones (``WIDE``) of all. Nor do trainings by class say what is usual without.

A limit is a range of the number that detectors ask for, the mildest of the latest readings
(``ganzfeld.health.symptoms.persisted``), in one phase of training. Each run gives its extremes in the phase.
Of the runs of one recipe on one set the limit lies three times as far from the median run as the most
extreme one: with exponential tails and eight runs, a healthy run lies outside with a chance of 1 in 54 (four
runs: 1 in 13). The wider one of the two sets is the limit of the recipe, which makes it 1 in 240 (1 in 44)
where both are alike; the widest of all is that of recipes that have none of their own. Where a reading
hardly varies among healthy runs, the limit leaves at least the room that ``ROOM`` names.
"""

import argparse
import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from doctor_runs import BATCHES, BY_CLASS, DATA, NUM_STEPS, Journal, Plan, numbers_of, train_all

import ganzfeld.health
from ganzfeld.durable import write_bytes
from ganzfeld.health.derived import series_of
from ganzfeld.health.detectors import detectors
from ganzfeld.health.limits import Limit
from ganzfeld.health.symptoms import persisted, steps_of
from ganzfeld.metrics.measures.memorisation import USUAL

STRETCH = 3.0
PHASES = (0, 64, 128, 256, 512, 1024, 2048, 4096)
"""Steps at which a phase begins; the last one has no end."""

LONGER = [
    ("modern", ("faces", "fashion"), 8192, None),
    ("modern", ("faces", "fashion"), 2048, 64),
    ("radford2015", ("fashion",), 256, 32),
    ("seed", ("fashion",), 256, 32),
    ("radford2015", ("faces",), 64, 64),
    ("seed", ("faces",), 64, 64),
]
"""Recipe, sets, steps and size of trainings that go on for longer, or with the networks that the recipe has
itself; None: small ones. The classical recipes, with their large batches, come to no more in some minutes."""

WIDE = 16
"""Width of the generator from which on trainings with a recipe's own networks count too, beside the small
ones: between their width of 8 and the least of a built-in recipe, 32."""

LEAST_RUNS = 8
"""A phase that fewer healthy runs have seen, or not all of the recipes, has no limit."""

SMALLEST_SHARE = 0.02
EXPECTED = {"memorised": USUAL}
"""What a perfect generator shows, which short trainings are far from; a limit leaves room beyond it too."""

ROOM = {"share": 1.0, "ratio": 0.5, "plain": 0.1}
"""The least room between the median run and the limit, on the scale of the reading."""

PLAIN = {"checkerboard"}
"""Readings that may be negative, compared as they are."""

SHARES = {
    *("separation", "overlap", "dead_generator", "dead_discriminator", "stuck", "twins", "latent_share"),
    *("recall", "coverage", "memorised", "saturated_excess"),
}
"""Readings from 0 to 1, compared by their log odds. What is nearer to an end than 0.02 counts as 0.02; where
healthy runs come so near, there is no limit on that side."""


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Measure what healthy runs show.")
    parser.add_argument("--seeds", default="100-107")
    parser.add_argument("--by-class", default="100-107", help="Seeds of trainings by class; empty: none.")
    parser.add_argument("--long", default="100-103", help="Seeds of longer trainings.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    options = parser.parse_args()
    plans = usual_plans(numbers_of(options.seeds))
    plans += plans_by_class(numbers_of(options.by_class) if options.by_class else [])
    plans += long_plans(numbers_of(options.long))
    journals = list(train_all(plans, options.runs, options.processes))
    limits = limits_of(journals)
    by_class = f", modern by class on {', '.join(BY_CLASS)}" if options.by_class else ""
    source = (
        f"python tools/doctor_limits.py --seeds {options.seeds} --by-class={options.by_class} "
        f"--long {options.long}: "
        f"{len(plans)} healthy runs, "
        f"{', '.join(BATCHES)} at 32 px and width 8 on {', '.join(DATA)}{by_class}, {NUM_STEPS} steps, and "
        "longer ones of "
        + ", ".join(
            f"{name} ({steps}{f', its own networks at {size} px' if size else ''})"
            for name, _, steps, size in LONGER
        )
    )
    path = Path(ganzfeld.health.__file__).parent / "limits.json"
    write_bytes(path, _a_line_each(source, limits).encode())
    print(f"{len(limits)} readings into {path}")


def _a_line_each(source: str, limits: dict[str, list[dict[str, Any]]]) -> str:
    """The file as JSON, with each limit on a line of its own."""
    readings = [
        f"    {json.dumps(name)}: [\n" + ",\n".join(f"      {json.dumps(each)}" for each in of_it) + "\n    ]"
        for name, of_it in limits.items()
    ]
    return f'{{\n  "source": {json.dumps(source)},\n  "limits": {{\n' + ",\n".join(readings) + "\n  }\n}\n"


def usual_plans(seeds: Sequence[int]) -> list[Plan]:
    """Healthy trainings of every recipe on every set, judged as real runs are."""
    return [Plan(data, recipe, seed, judged=True) for seed in seeds for data in DATA for recipe in BATCHES]


def plans_by_class(seeds: Sequence[int]) -> list[Plan]:
    """Healthy trainings by class."""
    return [Plan(data, "modern", seed) for seed in seeds for data in BY_CLASS]


def long_plans(seeds: Sequence[int]) -> list[Plan]:
    """Healthy trainings that go on for longer."""
    return [
        Plan(data, recipe, seed, judged=True, num_steps=num_steps, size=size)
        for recipe, sets, num_steps, size in LONGER
        for seed in seeds
        for data in sets
    ]


def limits_of(journals: Sequence[Journal]) -> dict[str, list[dict[str, Any]]]:
    """Of every reading that a detector looks at, the limits by phase, of every kind of training."""
    names = sorted({name for detector in detectors.names() for name in detectors.load(detector).READINGS})
    kinds: dict[Kind, list[Journal]] = {}
    for journal in journals:
        for kind in _speaks_for(journal):
            kinds.setdefault(kind, []).append(journal)
    # What only trainings without classes have shown of a recipe is no limit of it by class.
    kinds = {
        kind: of_it for kind, of_it in kinds.items() if not kind.by_class or any(map(_is_by_class, of_it))
    }
    found = {
        name: [limit for kind, of_it in kinds.items() for limit in _limits(name, of_it, kind)]
        for name in names
    }
    return {name: [_rounded(limit) for limit in limits] for name, limits in found.items() if limits}


class Kind(NamedTuple):
    """Trainings that have limits of their own; see ``ganzfeld.health.limits.Limit``."""

    recipe: str
    width: int
    by_class: bool


def _speaks_for(journal: Journal) -> Iterator[Kind]:
    """The kinds of training that a run says something of.

    Later phases of one recipe do not speak for all; nor do wide networks for narrow ones, or trainings by
    class for those without.
    """
    plan, recipe = journal.plan, journal.recipe
    own = f"{recipe['name']} {recipe['loss']['name']}"
    for kind in (own,) if plan.num_steps > NUM_STEPS else ("", own):
        for width in (0, WIDE) if plan.size is None else (WIDE,):
            for by_class in (True,) if _is_by_class(journal) else (False, True):
                yield Kind(kind, width, by_class)


def _is_by_class(journal: Journal) -> bool:
    return journal.plan.data in BY_CLASS


def _limits(name: str, journals: Sequence[Journal], kind: Kind) -> Iterator[Limit]:
    """Those by phase, of journals that all speak for this kind."""
    read = []
    for journal in journals:
        case = journal.case()
        group = (journal.plan.data, journal.plan.recipe, journal.plan.num_steps, journal.plan.size)
        series = series_of(case, name)
        sides = [persisted(series, side)[0] for side in ("low", "high")]
        steps = steps_of(case, series)
        # The schedule of a longer training is not that of a short one at the same step.
        is_longer = journal.plan.num_steps > NUM_STEPS
        later = steps > NUM_STEPS if is_longer else steps >= 0
        # For what comes after its end, the later half of it speaks.
        speaks_from = journal.plan.num_steps / 2 if is_longer or journal.plan.size else np.inf
        read.append((group, speaks_from, steps[later], *(side[later] for side in sides)))
    # What some recipes show early does not speak for the others, if these show it too.
    recipes = {group[1] for group, *_, high in read if np.isfinite(high).any()}
    furthest = max((journal.plan.num_steps for journal in journals), default=0)
    for begin, end in zip(PHASES, (*PHASES[1:], np.inf), strict=True):
        if begin > furthest:
            break
        lows, highs = ([] for _ in range(2))
        for group, speaks_from, steps, low, high in read:
            there = (steps >= min(begin, speaks_from)) & (steps < end) & np.isfinite(high)
            if there.any():
                lows.append((group, low[there]))
                highs.append((group, high[there]))
        if len(highs) < LEAST_RUNS or {group[1] for group, _ in highs} != recipes:
            continue
        least, most = -_furthest(lows, -1, name), _furthest(highs, 1, name)
        pairs = zip(lows, highs, strict=True)
        share = float(np.mean([np.mean((low >= least) & (high <= most)) for (_, low), (_, high) in pairs]))
        yield Limit(least, most, share, len(highs), begin, *kind)


def _furthest(found: list[tuple[Hashable, np.ndarray]], sign: int, name: str) -> float:
    """The widest limit of all groups of runs on one side: ``sign`` 1 is high, -1 low, then negated."""
    to, back = _scale(name)
    groups: dict[Hashable, list[float]] = {}
    for group, values in found:
        groups.setdefault(group, []).append(float(np.max(sign * to(values))))
    ends = []
    for extremes in groups.values():
        middle = float(np.median(extremes))
        ends.append(middle + max(STRETCH * (max(extremes) - middle), ROOM[_kind(name)]))
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
    """To the scale on which a reading is compared, and back."""
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
