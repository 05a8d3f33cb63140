"""Try weights of the penalties of the recipe dna on sequences with a planted motif.

    python tools/try_penalties.py [--weights 0.2 2] [--seeds 0 1 2] [--images 16000]

Half of 4,000 windows of 64 letters hold the consensus of the CTCF motif near their middle, with a tenth of
its letters drawn anew. Prints, for each weight and seed, the share of generated windows that hold it, how
many of these hold it in place, and divergences beside the best baseline. Finished runs are read.
"""

import argparse
from pathlib import Path

import numpy as np

import ganzfeld as gz

MOTIF = "TGGCCACCAGGGGGCGCTA"
LETTERS = "ACGT"
NUM, LENGTH, AT, SHIFT = 4000, 64, 22, 2
LEAST_ALIKE = 14
"""Letters of the motif that a window must hold to count; by chance hardly any window has so many."""

FIGURES = ("kmer_3_divergence", "kmer_6_divergence", "position_divergence", "gc_distance")


def planted() -> np.ndarray:
    """Return windows (NUM, LENGTH) of letters, of which every second one holds the motif."""
    random = np.random.default_rng(0)
    windows = random.choice(4, (NUM, LENGTH), p=(0.3, 0.2, 0.2, 0.3))
    motif = np.array([LETTERS.index(letter) for letter in MOTIF])
    for window in windows[::2]:
        at = AT + random.integers(-SHIFT, SHIFT + 1)
        drawn = np.where(random.random(len(motif)) < 0.9, motif, random.integers(0, 4, len(motif)))
        window[at : at + len(motif)] = drawn
    return windows


def motif_of(windows: np.ndarray) -> tuple[float, float]:
    """Return the share of windows that hold the motif, and the share of these that hold it in place."""
    motif = np.array([LETTERS.index(letter) for letter in MOTIF])
    places = range(LENGTH - len(motif) + 1)
    alike = np.stack([(windows[:, at : at + len(motif)] == motif).sum(1) for at in places], 1)
    holds = alike.max(1) >= LEAST_ALIKE
    in_place = np.abs(alike.argmax(1) - AT) <= SHIFT
    return float(holds.mean()), float(in_place[holds].mean()) if holds.any() else 0.0


def trained(data: Path, weight: float, seed: int, images: int, folder: Path) -> gz.Run:
    """Train a run, or open it if it exists."""
    penalties = [{"name": name, "weight": weight, "every": 4} for name in ("r1", "r2")]
    out = folder / f"weight{weight:g}_seed{seed}_images{images}"
    existing = out / f"{data.stem}-001"
    if (existing / "report.html").exists():
        return gz.open_run(existing)
    return gz.train(data, images=images, seed=seed, out=out, settings={"stabilisers": penalties})


def main() -> None:
    """Train all runs and print a table."""
    parser = argparse.ArgumentParser(description="Weights of the penalties of dna, on a planted motif.")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.2, 2.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--out", type=Path, default=Path("runs/penalties"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data, windows = options.out / "motif.fa", planted()
    records = ("".join(LETTERS[number] for number in window) for window in windows)
    data.write_text("".join(f">window{number}\n{letters}\n" for number, letters in enumerate(records)))
    print("data: motif {:.3f}, in place {:.3f}".format(*motif_of(windows)), flush=True)
    for weight in options.weights:
        for seed in options.seeds:
            run = trained(data, weight, seed, options.images, options.out)
            rate, in_place = motif_of(run.sample(1000)[..., 0])
            measured = gz.evaluate(run, only=FIGURES, progress=False)
            beside = ", ".join(
                f"{name} {measured[name].figure.value:.4f}"
                f" ({min(other.figure.value for other in measured[name].baselines):.4f})"
                for name in FIGURES
            )
            print(
                f"weight {weight:g}, seed {seed}: motif {rate:.3f}, in place {in_place:.3f}, {beside}",
                flush=True,
            )


if __name__ == "__main__":
    main()
