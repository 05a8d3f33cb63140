"""A folder that ``gz.watch`` wrote: readings of somebody else's loop, without a recipe and without a model.

runs/mine/
  run.json        data, networks and optimizers of the loop, as far as they are known; versions
  journal.jsonl   as in a run folder, with the doctor's readings under ``health``
  reals.png       images of the data
  samples/        <images seen>.png: images of the same latents through time
  verdict.json    the doctor's latest diagnosis
  report.html     all of this on one page
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, final

from pydantic import Field

from ganzfeld.health import RunEvidence
from ganzfeld.health.activation_trace import Enlargement
from ganzfeld.health.exact import EXACT
from ganzfeld.health.limits import limits
from ganzfeld.health.order import in_order
from ganzfeld.own_folder import OwnFolder
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.recipes.unusual import unusual_settings
from ganzfeld.record import Count, Record
from ganzfeld.run_layout import METADATA, WATCHED_BY, no_model_in
from ganzfeld.runs.journal import JOURNAL
from ganzfeld.runs.metadata import Environment, FinalScores, RunMetadata, Trial
from ganzfeld.runs.run import Run
from ganzfeld.value_kinds import is_number

_STAND_IN = "radford2015"
"""The recipe whose fields stand for those of a loop that are not known; no limit and no remedy uses them."""

_LIKE_ADAM = {"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop"}
"""Optimizers whose learning rates can be compared with those of recipes, which all use Adam."""

_UNKNOWN_LOSS = "wasserstein"
"""A loss of whose logits no size is usual, so that none is compared."""


class WatchedNetworkCard(Record):
    """One network of a loop: its class, number of parameters, normalisation over batches, learning rate.

    ``width`` is the number of channels before the last layer; 0 if it is not known. ``optimizer`` is the
    class of its optimizer, ``rate`` its first learning rate; None if they are not known.
    """

    network: str
    num_parameters: Count
    batch_statistics: bool
    width: Count = 0
    optimizer: str | None = None
    rate: Annotated[float, Field(ge=0)] | None = None


class WatchedMetadata(Record):
    """The content of ``run.json`` in a folder that ``gz.watch`` wrote.

    ``size`` is (width, height) in pixels. ``loss`` is the loss in Ganzfeld's catalogue that has the same
    gradients, None if there is none. ``output`` are the bounds of the generator's output activation.
    ``ended`` and ``failure`` say when the block of the loop was left, and by which exception; empty while it
    runs, or without one. ``notes`` are the sentences that were printed.
    """

    written_by: Literal["gz.watch"] = WATCHED_BY
    data: str | None
    name: str
    num_pictures: Count
    channels: Count
    size: tuple[Count, Count]
    content_hash: str
    class_names: tuple[str, ...] = ()
    credit: str = ""
    num_unusable: Count = 0
    num_duplicates: Count = 0
    batch: Count = 0
    num_classes: Count = 0
    loss: str | None = None
    output: tuple[float, float] | None = None
    generator: WatchedNetworkCard
    discriminator: WatchedNetworkCard
    enlargements: tuple[Enlargement, ...] = ()
    circumstances: Environment
    started: str
    ended: str = ""
    failure: str = ""
    notes: tuple[str, ...] = ()


@final
class WatchedRun(Run):
    """A folder of ``gz.watch``, opened for reading. What needs a recipe or a model raises ``UsageError``."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.folder = OwnFolder(self.path, mark=METADATA)

    @property
    def watched(self) -> WatchedMetadata:
        """The content of ``run.json``. Raises ``DamagedError`` if it is missing or cannot be read."""
        return self._metadata_as(WatchedMetadata, "Restore it from a copy, or watch the loop again.")

    @property
    def metadata(self) -> RunMetadata:
        """A loop has no settings of Ganzfeld: raises ``UsageError``."""
        raise no_model_in(self.path)

    @property
    def recipe(self) -> Recipe:
        """A loop has no recipe: raises ``UsageError``."""
        raise no_model_in(self.path)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """No remedy is ever tried in a loop."""
        return ()

    @property
    def final(self) -> FinalScores | None:
        """The quality of a loop is not measured."""
        return None

    def _evidence_of(self, entries: Sequence[Mapping[str, Any]]) -> RunEvidence:
        watched = self.watched
        rates = [(entry["images_seen"], entry["rate"]) for entry in entries if is_number(entry.get("rate"))]
        images = [at for at, _ in rates]

        def rate_at(images_seen: int) -> float:
            # The first entry after a step has the rate of this step.
            return rates[min(bisect_right(images, images_seen), len(rates) - 1)][1] if rates else 1.0

        return RunEvidence(
            entries=in_order(entries, str(self.path / JOURNAL)),
            recipe=recipe_of(watched),
            num_pictures=watched.num_pictures,
            num_duplicates=watched.num_duplicates,
            limits={**limits(), **EXACT},
            rate_at=rate_at,
            class_names=watched.class_names,
            unusual=_unusual_rates(watched),
            watched=True,
        )


def _unusual_rates(watched: WatchedMetadata) -> list[tuple[str, str]]:
    """Return the learning rates that are far from all that is known, as paths and sentences."""
    cards = {"generator": watched.generator, "discriminator": watched.discriminator}
    rates = {
        f"{side}.optimizer.lr": min(1.0, card.rate)
        for side, card in cards.items()
        if card.rate and card.optimizer in _LIKE_ADAM
    }
    # Without a name of its own, a recipe is compared with all that are built in.
    recipe = resolve(_STAND_IN, rates).changed(name="a loop")
    return [(setting.path, setting.sentence) for setting in unusual_settings(recipe) if setting.path in rates]


def recipe_of(watched: WatchedMetadata) -> dict[str, Any]:
    """Return a mapping of the form of a recipe, with what is known of a loop.

    The other fields are those of a classical network, so that every field is there. ``layers`` are the
    layers that enlarge maps, which a recipe derives from its ladder; ``rates_known`` tells whether the
    learning rates are those of the loop.
    """
    fields = resolve(_STAND_IN).model_dump(mode="json")
    fields |= {
        "name": "",
        "size": list(watched.size),
        "classes": "concatenation" if watched.num_classes else "none",
        "rates_known": None not in (watched.generator.rate, watched.discriminator.rate),
        "layers": [asdict(layer) for layer in watched.enlargements],
    }
    if watched.batch:
        fields["batch"] = watched.batch
    fields["loss"] |= {"name": watched.loss or _UNKNOWN_LOSS}
    for side, card in (("generator", watched.generator), ("discriminator", watched.discriminator)):
        fields[side]["normalisation"] = "batch" if card.batch_statistics else "none"
        if card.rate is not None:
            fields[side]["optimizer"]["lr"] = card.rate
    fields["generator"]["width"] = watched.generator.width
    return fields
