"""Write the results of ``tools/on_gpu.py`` as Markdown, for ``docs/benchmarks.md``."""

import time
from typing import Any


def page(results: dict[str, dict[str, Any]]) -> str:
    """Return all results as Markdown."""
    machine = results.get("machine", {}).get("result") or {}
    head = f"## On a GPU\n\n`tools/on_gpu.sh`, {time.strftime('%Y-%m-%d')}, {machine_in_words(machine)}\n"
    sections = [
        table("speed", ("recipe, batch", "plain", "ours", "ratio", "share of peak"), speeds(results)),
        table("quality", ("training", "images", "seconds", "kernel distance"), qualities(results)),
        table("a step", ("batch, way", "wall ms", "asking ms", "kernels ms", "kernels"), steps(results)),
        table("parts", ("part", "outcome", "seconds", "remarks"), outcomes(results)),
    ]
    return "\n".join([head, *filter(None, sections)])


def machine_in_words(machine: dict[str, Any]) -> str:
    """Return the GPU, the number of cores and the versions in words."""
    gpu = machine.get("gpu", "no GPU")
    return (
        f"{gpu}, {machine.get('cores')} cores, torch {machine.get('torch')}, Python {machine.get('python')}"
    )


def table(title: str, head: tuple[str, ...], rows: list[list[str]]) -> str:
    """Return a table as Markdown; empty if it has no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return f"### {title.capitalize()}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def speeds(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return the images per second of each measurement, and without each part of the fast path."""
    rows = []
    for found in results.values():
        figures = found.get("result")
        if not isinstance(figures, dict) or "ours_images_per_s" not in figures:
            continue
        plain, ours = (f"{figures[f'{side}_images_per_s']:,.0f} images/s" for side in ("plain", "ours"))
        peak = f"{figures['share_of_peak']:.0%} of {figures['peak_gflops_per_s']:,} GFLOP/s"
        peak += f" ({figures['peak_of']})"
        rows.append([found["title"], plain, ours, f"{figures['ratio']:.2f}", peak])
        for part, speed in figures["without"].items():
            rows.append([f"without: {part}", "", f"{speed:,.0f} images/s", "", ""])
    return rows


def qualities(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return the kernel distances during each run and at its end."""
    rows = []
    for found in results.values():
        run = found.get("result")
        if not isinstance(run, dict) or "looks" not in run:
            continue
        title = (
            f"{found['title']} (batch {run['batch']}), {run['images_per_s']:,.0f} images/s,"
            f" recorded: {run['recorded']}"
        )
        rows += [
            [title, f"{images:,}", f"{seconds:.1f}", f"{kd:.3f}"] for images, seconds, kd in run["looks"]
        ]
        if run["final"]:
            last, best = (run["final"][which] for which in ("last", "best"))
            end = f"{last['kernel_distance']:.3f} ± {last['error']:.3f} (best {best['kernel_distance']:.3f})"
            rows.append([f"{title}, the end", f"{run['images_seen']:,}", f"{run['seconds']:.1f}", end])
    return rows


def steps(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return the cost of a step on each route."""
    found = results.get("profile", {}).get("result") or {}
    keys = ("wall_ms", "asking_ms", "kernel_ms", "kernels")
    return [
        [name, *(str(each.get(key, each.get("error", ""))) for key in keys)] for name, each in found.items()
    ]


def outcomes(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return how each part ended."""
    rows = []
    for name, found in results.items():
        counts = (found.get("result") or {}).get("counts", {}) if name == "tests" else {}
        remarks = [found.get("reason", ""), *(f"{number} {outcome}" for outcome, number in counts.items())]
        rows.append([name, found["status"], str(found.get("seconds", "")), ", ".join(filter(None, remarks))])
    return rows
