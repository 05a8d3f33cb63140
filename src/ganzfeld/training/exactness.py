"""The conditions under which a resumed run continues exactly as if it had never stopped."""

from dataclasses import dataclass

from ganzfeld.errors import DataError, GanzfeldError, UsageError
from ganzfeld.recipes import changes
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.runs.metadata import RunMetadata
from ganzfeld.training.trainer import Trainer

_UNDO = {
    "ranks": "torchrun --nproc-per-node={} restores the number of processes.",
    "threads": "OMP_NUM_THREADS={} restores the number of threads.",
    "torch": "pip install torch=={} restores the version of torch.",
    "ganzfeld": "pip install ganzfeld=={} restores the version of Ganzfeld.",
}


@dataclass(frozen=True)
class Difference:
    """One change in words, how to undo it, and the error to raise if changes are not allowed."""

    what: str
    undo: str = ""
    error: type[GanzfeldError] = UsageError


def find_differences(
    metadata: RunMetadata, checkpoint: Checkpoint | None, trainer: Trainer
) -> list[Difference]:
    """List what has changed since the checkpoint was taken, or since the run began if there is none.

    The version of Python is ignored: Python computes none of the numbers.
    """
    then, now = checkpoint.card.circumstances if checkpoint else metadata.circumstances, trainer.circumstances
    differences = [
        Difference(f"{name} is {getattr(now, name)} now and was {was}", _UNDO.get(name, "").format(was))
        for name in ("ganzfeld", "torch", "device", "chip", "precision", "threads", "ranks")
        if (was := getattr(then, name)) != getattr(now, name)
    ]
    content_hash = checkpoint.card.content_hash if checkpoint else metadata.content_hash
    if trainer.dataset.content_hash != content_hash:
        number = trainer.dataset.num_pictures
        text = f"the images are not those of the run ({number:,} now, {metadata.num_pictures:,} then)"
        differences.insert(0, Difference(text, "--data says where they are.", DataError))
    classes_hash = checkpoint.card.classes_hash if checkpoint else metadata.classes_hash
    if trainer.classes_hash != classes_hash:
        text = "the classes of the images are not those of the run"
        undo = "Put the labels or folders back as they were; --labels says where a file of labels is."
        differences.insert(0, Difference(text, undo, DataError))
    if checkpoint and checkpoint.card.recipe != trainer.recipe:
        changed = " ".join(changes(trainer.recipe, since=checkpoint.card.recipe)) or "its name or description"
        differences.append(Difference(f"recipe.json was changed: {changed}"))
    if checkpoint and checkpoint.card.route != trainer.route:
        differences.append(Difference("run.json names another route than the one that the run took"))
    if checkpoint:
        seen = checkpoint.images_seen
        then_planned, now_planned = (
            [horizon for horizon in horizons if horizon.since < seen]
            for horizons in (checkpoint.card.position.horizons, metadata.horizons)
        )
        if then_planned != now_planned:
            differences.append(
                Difference(f"run.json plans {now_planned} up to here and planned {then_planned} before")
            )
    if checkpoint and checkpoint.card.seed != trainer.seed:
        differences.append(Difference(f"the seed is {trainer.seed} now and was {checkpoint.card.seed}"))
    return differences


def refuse(differences: list[Difference]) -> None:
    """Raise the error of the first difference, naming all of them; do nothing if there are none."""
    if differences:
        undo = " ".join(difference.undo for difference in differences if difference.undo)
        raise differences[0].error(
            f"the run cannot be resumed exactly: {'; '.join(difference.what for difference in differences)}",
            f"{undo or 'Undo the change.'} Or add --inexact to resume all the same.",
        )
