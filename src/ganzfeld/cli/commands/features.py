"""``ganzfeld features``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzfeld.cli.inside_page import Shown, show_and_keep
from ganzfeld.cli.latent.outputs import absolute, require_suffix, require_writable
from ganzfeld.cli.speech import Json
from ganzfeld.output import Mark, write_output

if TYPE_CHECKING:
    from ganzfeld.inside.dropping import DroppedMaps
    from ganzfeld.inside.guided import StrongestImages
    from ganzfeld.inside.numbered_maps import DroppedNumbers
    from ganzfeld.inside.probe import LinearProbe
    from ganzfeld.runs import Run


def command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder with checkpoints.")],
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Image files, or one folder, archive or array. Default: the images of the run.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for the features (.npz); PNG files are written beside it. Default: RUN-features.npz, "
            "and no features with any of the options below."
        ),
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer such as layer-2; repeatable. Default: all.")
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Crop, scale and convert images as training images are.")
    ] = False,
    probe: Annotated[
        str | None,
        typer.Option(
            metavar="LABELS",
            help="Read labels from the features with a linear classifier: a table (CSV) of file names and "
            "labels, classes (of folders by class), or an attribute of the built-in faces.",
        ),
    ] = None,
    num_labels: Annotated[
        int, typer.Option("--labels", help="Most labels that --probe fits a classifier to.")
    ] = 10_000,
    filters: Annotated[bool, typer.Option("--filters", help="Show the filters of the first layer.")] = False,
    guided: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Show the images that excite the first N units of the last layer (or --layer) the most, "
            "and their guided gradients.",
        ),
    ] = None,
    unit: Annotated[
        list[int] | None, typer.Option(help="Unit to show in place of the first N; repeatable.")
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(
            metavar="ATTRIBUTE|NUMBERS",
            help="Drop the maps of the generator that answer for an attribute, such as hair=bun or "
            "class=cats, and tell whether it goes; or those of numbers such as 3,17, and tell the change.",
        ),
    ] = None,
    drop_layer: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER",
            help="Layer of the generator for --drop: projection, layer-1, ... Default: the second highest.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Extract features with the discriminator; see what it learned.

    The features are the maps of all its layers, max-pooled to 4x4 cells. --probe compares them with raw
    pixels and a random discriminator, and says which is best.

    Example: ganzfeld features runs/photos-001 photos/ --out photos.npz
    """
    shows_units = guided is not None or bool(unit)
    wants_features = out is not None or not (probe is not None or filters or shows_units or drop)
    path = out or Path(f"{run.resolve().name}-features.npz")
    require_suffix(path, ".npz")
    wanted = {
        Mark.FEATURES: wants_features,
        Mark.FILTERS: filters,
        Mark.STRONGEST_IMAGES: shows_units,
        Mark.DROPPED_MAPS: drop is not None,
    }
    images_beside = {mark: path.with_name(f"{path.stem}{ending}") for mark, ending in ENDINGS.items()}
    files = {Mark.FEATURES: path, **images_beside}
    for mark, is_wanted in wanted.items():
        if is_wanted:
            require_writable([files[mark]], mark)
    made = _made(
        _Request(
            run,
            images or [],
            layer or [],
            fit,
            probe,
            num_labels,
            filters,
            guided,
            unit or [],
            drop,
            drop_layer,
        ),
        wanted,
        files,
    )
    show_and_keep(context, run, made.result, made.text, json, made.shown)


ENDINGS = {
    Mark.FILTERS: "-filters.png",
    Mark.STRONGEST_IMAGES: "-guided.png",
    Mark.DROPPED_MAPS: "-drop.png",
}
"""How the names of images end that may be written beside the features, after the same stem."""


@dataclass(frozen=True)
class _Request:
    """What was asked for, as the command was given it."""

    run: Path
    images: list[Path]
    layers: list[str]
    fit: bool
    probe: str | None
    num_labels: int
    filters: bool
    guided: int | None
    units: list[int]
    drop: str | None
    drop_layer: str | None


@dataclass
class _Made:
    """What the command has made so far: its result as JSON, its text, files, and the section of the page."""

    result: dict[str, Any]
    files: dict[Mark, Path]
    lines: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)
    settings: dict[str, object] = field(default_factory=dict)
    images_seen: int | None = None

    def say(self, part: str, as_json: dict[str, Any], sentence: str) -> None:
        """Add a part of the result, and what it means in words."""
        self.result[part] = as_json
        self.sentences.append(sentence)

    def write(self, mark: Mark, content: bytes, caption: str = "") -> None:
        """Write a file; with a caption it is an image for the page."""
        write_output(self.files[mark], content, mark)
        self.written.append(self.files[mark])
        if caption:
            self.pages[caption] = content

    @property
    def text(self) -> str:
        """The text that is printed."""
        places = [f"files    {', '.join(map(str, self.written))}"] if self.written else []
        return "\n".join([*self.lines, *self.sentences, *places])

    @property
    def shown(self) -> Shown:
        """The section of the page."""
        table = [["features", "right answers"], *self.rows] if self.rows else []
        return Shown(self.pages, self.written, self.settings, table, self.images_seen)


def _made(request: _Request, wanted: dict[Mark, bool], files: dict[Mark, Path]) -> _Made:
    """Check what was asked for, and make it."""
    from ganzfeld.errors import UsageError
    from ganzfeld.inside.features import as_run, require_layers
    from ganzfeld.inside.guided import require_units
    from ganzfeld.inside.probe import require_num_labels
    from ganzfeld.networks.feature_maps import layer_names

    if request.probe is not None:
        require_num_labels(request.num_labels)
    opened = as_run(request.run)
    network, card = opened.discriminator, opened.discriminator_card
    layers = require_layers(layer_names(network), request.layers)
    shows_units = wanted[Mark.STRONGEST_IMAGES]
    if shows_units and len(request.layers) > 1:
        raise UsageError("units are shown of one layer at a time", "Name one --layer with --guided.")
    units = require_units(network, layers[-1], request.guided or 1, request.units) if shows_units else ()
    _require_droppable(opened, request)
    made = _Made({"run": str(request.run.resolve()), "layers": list(layers)}, files)
    made.settings = {"layers": ", ".join(layers), "labels": request.probe}
    made.images_seen = card.images_seen
    if wanted[Mark.FEATURES] or shows_units or request.probe is not None:
        _add_what_needs_images(made, request, opened, layers, units, wanted[Mark.FEATURES])
    if request.filters:
        _add_filters(made, opened)
    if request.drop:
        _add_dropped_maps(made, opened, request.drop, request.drop_layer)
    made.result["files"] = absolute(made.written)
    made.result["discriminator"] = card.sentence
    made.result["sentence"] = "; ".join(made.sentences)
    return made


def _require_droppable(opened: "Run", request: _Request) -> None:
    """Refuse unknown layers and maps of the generator before anything is measured."""
    from ganzfeld.errors import UsageError
    from ganzfeld.inside.dropping import require_hidden
    from ganzfeld.inside.numbered_maps import numbers_in, require_maps

    if request.drop_layer is not None and not request.drop:
        raise UsageError("--drop-layer is for --drop", "Say what to drop, such as --drop 3,17.")
    layer = require_hidden(opened.model.generator, request.drop_layer)
    numbers = numbers_in(request.drop or "")
    if numbers is not None:
        require_maps(opened.model.generator, layer, numbers)


def _add_what_needs_images(
    made: _Made,
    request: _Request,
    opened: "Run",
    layers: Sequence[str],
    units: Sequence[int],
    wants_features: bool,
) -> None:
    """Add the features, the probe, and the images that units respond to the most."""
    from ganzfeld.inside.feature_sheets import strongest_sheet
    from ganzfeld.inside.features import features_of_set
    from ganzfeld.inside.guided import strongest_of_set
    from ganzfeld.inside.image_sets import image_set, is_table
    from ganzfeld.inside.probe import probe_set
    from ganzfeld.model import png
    from ganzfeld.progress import counting

    report, probe = counting(True), request.probe
    table = Path(probe) if probe is not None and is_table(probe) else None
    images = image_set(opened, request.images, report, labels=table, fit=request.fit)
    made.result["images"] = images.num
    if wants_features:
        features = features_of_set(opened, images, layers, report)
        made.write(Mark.FEATURES, features.npz())
        shapes = dict(zip(features.layers, map(list, features.shapes), strict=True))
        made.say("features", {"num": features.values.shape[1], "shapes": shapes}, features.sentence)
    if probe is not None:
        probed = probe_set(opened, images, probe, request.layers, request.num_labels, report)
        made.rows = _rows_of_probe(probed)
        made.lines += [f"{name:22} {share}" for name, share in made.rows]
        made.say("probe", _probe_as_json(probed), probed.sentence)
    if units:
        strongest = strongest_of_set(opened, images, layers[-1], units, report)
        caption = f"strongest images of units of {strongest.layer}, and guided gradients"
        made.write(Mark.STRONGEST_IMAGES, png(strongest_sheet(strongest)), caption)
        made.say("guided", _strongest_as_json(strongest), strongest.sentence)


def _add_filters(made: _Made, opened: "Run") -> None:
    """Add the filters of the first layer."""
    from ganzfeld.inside.feature_sheets import filter_sheet
    from ganzfeld.inside.guided import first_filters
    from ganzfeld.model import png

    first = first_filters(opened)
    made.write(Mark.FILTERS, png(filter_sheet(first)), "filters of the first layer")
    as_json = {
        "num": len(first.weights),
        "smoothness": round(first.smoothness, 4),
        "num_dead": first.num_dead,
        "sentence": first.sentence,
    }
    made.say("filters", as_json, first.sentence)


def _add_dropped_maps(made: _Made, opened: "Run", what: str, layer: str | None) -> None:
    """Add what becomes of images without maps, named by number or by the attribute that they answer for."""
    from ganzfeld.inside.dropping import drop_maps
    from ganzfeld.inside.feature_sheets import drop_sheet
    from ganzfeld.inside.numbered_maps import drop_numbers, numbers_in
    from ganzfeld.model import png

    numbers = numbers_in(what)
    if numbers is not None:
        changed = drop_numbers(opened, numbers, layer=layer, progress=True)
        caption = f"images, without the maps {what}, without as many random maps"
        made.write(Mark.DROPPED_MAPS, png(drop_sheet(changed.images)), caption)
        made.say("drop", _numbers_as_json(changed), changed.sentence)
        return
    attribute = what
    dropped = drop_maps(opened, attribute, layer=layer, progress=True)
    caption = f"images with {attribute}, with its maps dropped, with random maps dropped"
    made.write(Mark.DROPPED_MAPS, png(drop_sheet(dropped.images)), caption)
    made.say("drop", _dropped_as_json(dropped), dropped.sentence)


def _probe_as_json(probe: "LinearProbe") -> dict[str, Any]:
    return {
        "attribute": probe.attribute,
        "values": list(probe.values),
        "num_labels": probe.num_labels,
        "num_tested": probe.num_tested,
        "num_features": probe.num_features,
        "discriminator": probe.discriminator.as_json(),
        "random": probe.random.as_json(),
        "pixels": probe.pixels.as_json(),
        "most_frequent": round(probe.usual, 4),
        "better_than_random": probe.over_random,
        "better_than_pixels": probe.over_pixels,
        "sentence": probe.sentence,
    }


def _rows_of_probe(probe: "LinearProbe") -> list[list[str]]:
    return [
        ["discriminator", probe.discriminator.precise],
        ["random discriminator", probe.random.precise],
        ["raw pixels", probe.pixels.precise],
    ]


def _strongest_as_json(result: "StrongestImages") -> dict[str, Any]:
    return {
        "layer": result.layer,
        "units": [
            {"unit": unit, "images": indices, "responses": [round(value, 5) for value in responses]}
            for unit, indices, responses in zip(
                result.trained.units,
                result.trained.indices.tolist(),
                result.trained.responses.tolist(),
                strict=True,
            )
        ],
        "likeness": round(result.trained.likeness, 4),
        "likeness_random": round(result.random.likeness, 4),
        "num_silent": result.trained.num_silent,
        "worked": bool(result.worked),
        "sentence": result.sentence,
    }


def _numbers_as_json(result: "DroppedNumbers") -> dict[str, Any]:
    return {
        "layer": result.layer,
        "maps": list(result.maps),
        "num_maps": result.num_maps,
        "num_tested": result.num_tested,
        "change_levels": round(result.change, 3),
        "random_change_levels": round(result.random_change, 3),
        "most_random_change_levels": round(result.most_random_change, 3),
        "attributes_changed": result.changed,
        "random_attributes_changed": result.random_changed,
        "sentence": result.sentence,
    }


def _dropped_as_json(result: "DroppedMaps") -> dict[str, Any]:
    return {
        "value": result.value,
        "layer": result.layer,
        "maps": list(result.maps),
        "num_maps": result.num_maps,
        "num_tested": result.num_tested,
        "gone": result.gone.as_json(),
        "random_gone": round(result.random_gone, 4),
        "most_random_gone": round(result.worst_random, 4),
        "others_changed": result.others,
        "random_others_changed": result.random_others,
        "sentence": result.sentence,
    }
