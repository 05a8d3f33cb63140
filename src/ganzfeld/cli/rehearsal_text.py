"""The text of a dry run."""

from typing import Any

from ganzfeld.printable import duration, printable


def rehearsal_text(rehearsal: dict[str, Any]) -> str:
    """Return the figures of ``ganzfeld.training.dry_run.rehearse`` as text."""
    ladder = " -> ".join(f"{width}x{height}" for width, height in rehearsal["ladder"])
    memory = rehearsal["memory_bytes"]
    rows = {
        "would train": rehearsal["summary"],
        "generator": f"{ladder}, {rehearsal['generator_parameters']:,} parameters",
        "discriminator": f"the same in reverse, {rehearsal['discriminator_parameters']:,} parameters",
        "speed here": f"{rehearsal['images_per_s']:,.0f} images/s",
        "length": f"{duration(rehearsal['seconds'])}: {rehearsal['images']:,} images, "
        f"{rehearsal['epochs']:g} epochs",
        "memory": "unknown" if memory is None else f"{memory / 2**20:,.0f} MiB at most",
    }
    width = max(map(len, rows))
    lines = [f"{name.ljust(width)}  {value}" for name, value in rows.items()]
    notes = [f"  {printable(note)}" for note in rehearsal["notes"]]
    return "\n".join([*lines, *(["", "notes", *notes] if notes else [])])
