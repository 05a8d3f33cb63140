"""What must be as it was for a training to go on as if it had never stopped."""

from dataclasses import dataclass

from ganzfeld.errors import DataError, GanzfeldError, UsageError
from ganzfeld.recipes import changes
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.runs.metadata import RunMetadata
from ganzfeld.training.trainer import Trainer

_UNDO = {
    "ranks": "torchrun --nproc-per-node={} brings the number of processes back.",
    "threads": "OMP_NUM_THREADS={} brings the threads back.",
    "torch": "pip install torch=={} brings torch back.",
    "ganzfeld": "pip install ganzfeld=={} brings this program back.",
}


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was, in words; how to undo it; and the error that it is if nobody asked."""

    what: str
    undo: str = ""
    error: type[GanzfeldError] = UsageError


def differences(metadata: RunMetadata, checkpoint: Checkpoint | None, trainer: Trainer) -> list[Difference]:
    """Everything that is not as it was when the checkpoint was taken, or when the run began if there is none.

    Python's own version does not count: it computes nothing.
    """
    then, now = checkpoint.card.circumstances if checkpoint else metadata.circumstances, trainer.circumstances
    found = [
        Difference(f"{name} is {getattr(now, name)} now and was {was}", _UNDO.get(name, "").format(was))
        for name in ("ganzfeld", "torch", "device", "chip", "precision", "threads", "ranks")
        if (was := getattr(then, name)) != getattr(now, name)
    ]
    content_hash = checkpoint.card.content_hash if checkpoint else metadata.content_hash
    if trainer.dataset.content_hash != content_hash:
        number = trainer.dataset.num_pictures
        text = f"the images are not those of the run ({number:,} now, {metadata.num_pictures:,} then)"
        found.insert(0, Difference(text, "--data says where they are.", DataError))
    classes_hash = checkpoint.card.classes_hash if checkpoint else metadata.classes_hash
    if trainer.classes_hash != classes_hash:
        text = "the classes of the images are not those of the run"
        undo = "Put the labels or folders back as they were; --labels says where a file of labels is."
        found.insert(0, Difference(text, undo, DataError))
    if checkpoint and checkpoint.card.recipe != trainer.recipe:
        changed = " ".join(changes(trainer.recipe, since=checkpoint.card.recipe)) or "its name or description"
        found.append(Difference(f"recipe.json was changed: {changed}"))
    if checkpoint and checkpoint.card.route != trainer.route:
        found.append(Difference("run.json names another route than the one it took"))
    if checkpoint:
        seen = checkpoint.images_seen
        then_planned, now_planned = (
            [each for each in horizons if each.since < seen]
            for horizons in (checkpoint.card.position.horizons, metadata.horizons)
        )
        if then_planned != now_planned:
            found.append(Difference(f"run.json plans {now_planned} up to here and did plan {then_planned}"))
    if checkpoint and checkpoint.card.seed != trainer.seed:
        found.append(Difference(f"the seed is {trainer.seed} now and was {checkpoint.card.seed}"))
    return found


def refuse(found: list[Difference]) -> None:
    """Raise the error that differences are when nobody asked for them; nothing if there are none."""
    if found:
        undo = " ".join(difference.undo for difference in found if difference.undo)
        raise found[0].error(
            f"the run cannot go on exactly: {'; '.join(difference.what for difference in found)}",
            f"{undo or 'Make it as it was.'} Or add --inexact to go on all the same.",
        )
