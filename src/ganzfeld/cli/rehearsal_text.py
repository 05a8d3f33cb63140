"""A dry run in words."""

from typing import Any

from ganzfeld.printable import duration, printable


def rehearsal_text(rehearsal: dict[str, Any]) -> str:
    """The figures of ``ganzfeld.training.dry_run.rehearse`` for people."""
    ladder = " -> ".join(f"{width}x{height}" for width, height in rehearsal["ladder"])
    memory = rehearsal["memory_bytes"]
    rows = {
        "would train": rehearsal["summary"],
        "generator": f"{ladder}, {rehearsal['generator_parameters']:,} parameters",
        "discriminator": f"the same backwards, {rehearsal['discriminator_parameters']:,} parameters",
        "speed here": f"{rehearsal['images_per_s']:,.0f} images/s",
        "length": f"{duration(rehearsal['seconds'])}: {rehearsal['images']:,} images, "
        f"{rehearsal['epochs']:g} times the whole set",
        "memory": "unknown" if memory is None else f"{memory / 2**20:,.0f} MiB at most",
    }
    width = max(map(len, rows))
    lines = [f"{name.ljust(width)}  {value}" for name, value in rows.items()]
    notes = [f"  {printable(note)}" for note in rehearsal["notes"]]
    return "\n".join([*lines, *(["", "to mind", *notes] if notes else [])])
