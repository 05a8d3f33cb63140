"""Measure how much the quality of healthy runs falls because *features* makes up for nothing.

    python tools/doctor_features.py [--seeds 0-22,100-108] [--runs runs/doctor]

``ganzfeld.health.derived.combined_quality`` lets the part by a feature network count at most as a multiple
(``MOST_FEATURES``) of the mean of the other parts. The command prints the largest difference that this makes
at any check of a healthy run that is finished (``doctor_runs.py``), and at how many checks it makes any.
"""

import argparse
import math
from pathlib import Path

from doctor_archive import ARCHIVE, unpack
from doctor_limits import ended_well
from doctor_runs import is_finished, numbers_of, read
from doctor_suite import all_plans

from ganzfeld.health.derived import BY_FEATURES, combined_quality, looks_with_parts


def main() -> None:
    """Print the largest difference."""
    parser = argparse.ArgumentParser(
        description="Measure what the bound on features changes in healthy runs."
    )
    parser.add_argument("--seeds", default="0-22,100-108")
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    options = parser.parse_args()
    plans = all_plans([seed for part in options.seeds.split(",") for seed in numbers_of(part)])
    unpack(ARCHIVE, options.runs, {Path(plan.file).stem for plan in plans})
    journals = [read(plan, options.runs) for plan in plans if is_finished(plan, options.runs)]
    good = [journal for journal in journals if ended_well(journal)]
    differences = [
        without_bound(parts) - combined_quality(parts)
        for journal in good
        for _, parts in looks_with_parts(journal.case())
        if BY_FEATURES in parts
    ]
    changed = sum(difference > 1e-9 for difference in differences)
    print(
        f"{len(good)} healthy runs, {len(differences)} checks with features: "
        f"the quality is lower at {changed}, by at most {max(differences):.3f}"
    )


def without_bound(parts: dict[str, float]) -> float:
    """Return the quality if features counted as much as the other parts together, except where all are 0."""
    others = [value for name, value in parts.items() if name != BY_FEATURES]
    combined = math.prod(others) ** (1 / len(others))
    return (combined + parts[BY_FEATURES]) / 2 if any(others) else combined


if __name__ == "__main__":
    main()
