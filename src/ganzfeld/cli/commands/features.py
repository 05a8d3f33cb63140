"""``ganzfeld features``."""

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
    from ganzfeld.inside.probe import LinearProbe


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
            metavar="ATTRIBUTE",
            help="Drop the maps of the generator that answer for an attribute, such as beard=none or "
            "class=cats, and tell whether it goes.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Extract features with the discriminator; see what it learned.

    The features are the maps of all its layers, max-pooled to 4x4 cells. --probe compares them with raw
    pixels and a random discriminator, and says which is best.

    Example: ganzfeld features runs/photos-001 photos/ --out photos.npz
    """
    from ganzfeld.errors import UsageError
    from ganzfeld.inside.dropping import drop_maps
    from ganzfeld.inside.feature_sheets import drop_sheet, filter_sheet, strongest_sheet
    from ganzfeld.inside.features import as_run, features_of_set, require_layers
    from ganzfeld.inside.guided import first_filters, require_units, strongest_of_set
    from ganzfeld.inside.image_sets import image_set, is_table
    from ganzfeld.inside.probe import probe_set, require_num_labels
    from ganzfeld.model import png
    from ganzfeld.networks.feature_maps import layer_names
    from ganzfeld.progress import counting

    shown = guided is not None or bool(unit)
    wants_features = out is not None or not (probe is not None or filters or shown or drop)
    path = out or Path(f"{run.resolve().name}-features.npz")
    require_suffix(path, ".npz")
    beside = {name: path.with_name(f"{path.stem}-{name}.png") for name in ("filters", "guided", "drop")}
    if wants_features:
        require_writable([path], Mark.FEATURES)
    if filters:
        require_writable([beside["filters"]], Mark.FILTERS)
    if drop:
        require_writable([beside["drop"]], Mark.DROPPED_MAPS)
    if shown:
        require_writable([beside["guided"]], Mark.STRONGEST_IMAGES)
    if probe is not None:
        require_num_labels(num_labels)
    opened, report = as_run(run), counting(True)
    network = opened.discriminator
    chosen = require_layers(layer_names(network), layer or [])
    if shown and len(layer or []) > 1:
        raise UsageError("units are shown of one layer at a time", "Name one --layer with --guided.")
    units = require_units(network, chosen[-1], guided or 1, unit or []) if shown else ()
    result: dict[str, Any] = {"run": str(run.resolve()), "layers": list(chosen)}
    lines, sentences, written, pages, rows = [], [], [], {}, []
    if wants_features or shown or probe is not None:
        table = Path(probe) if probe is not None and is_table(probe) else None
        chosen_images = image_set(opened, images or [], report, labels=table, fit=fit)
        result["images"] = chosen_images.num
        if wants_features:
            features = features_of_set(opened, chosen_images, chosen, report)
            write_output(path, features.npz(), Mark.FEATURES)
            written.append(path)
            sentences.append(features.sentence)
            result["features"] = {
                "num": features.values.shape[1],
                "shapes": dict(zip(features.layers, map(list, features.shapes), strict=True)),
            }
        if probe is not None:
            probed = probe_set(opened, chosen_images, probe, layer or [], num_labels, report)
            rows = _rows_of_probe(probed)
            lines += [f"{name:22} {share}" for name, share in rows]
            sentences.append(probed.sentence)
            result["probe"] = _probe_as_json(probed)
        if shown:
            strongest = strongest_of_set(opened, chosen_images, chosen[-1], units, report)
            pages[f"strongest images of units of {strongest.layer}, and guided gradients"] = png(
                strongest_sheet(strongest)
            )
            write_output(beside["guided"], list(pages.values())[-1], Mark.STRONGEST_IMAGES)
            written.append(beside["guided"])
            sentences.append(strongest.sentence)
            result["guided"] = _strongest_as_json(strongest)
    if filters:
        first = first_filters(opened)
        pages["filters of the first layer"] = png(filter_sheet(first))
        write_output(beside["filters"], pages["filters of the first layer"], Mark.FILTERS)
        written.append(beside["filters"])
        sentences.append(first.sentence)
        result["filters"] = {
            "num": len(first.weights),
            "smoothness": round(first.smoothness, 4),
            "num_dead": first.num_dead,
            "sentence": first.sentence,
        }
    if drop:
        dropped = drop_maps(opened, drop, progress=True)
        caption = f"images with {drop}, with its maps dropped, with random maps dropped"
        pages[caption] = png(drop_sheet(dropped))
        write_output(beside["drop"], pages[caption], Mark.DROPPED_MAPS)
        written.append(beside["drop"])
        sentences.append(dropped.sentence)
        result["drop"] = _dropped_as_json(dropped)
    result["files"] = absolute(written)
    result["discriminator"] = opened.discriminator_card.sentence
    result["sentence"] = "; ".join(sentences)
    places = [f"files    {', '.join(map(str, written))}"] if written else []
    shown_on_page = Shown(
        images=pages,
        files=written,
        settings={"layers": ", ".join(chosen), "labels": probe},
        table=[["features", "right answers"], *rows] if rows else [],
        images_seen=opened.discriminator_card.images_seen,
    )
    text = "\n".join([*lines, *sentences, *places])
    show_and_keep(context, run, result, text, json, shown_on_page)


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


def _dropped_as_json(result: "DroppedMaps") -> dict[str, Any]:
    return {
        "value": result.value,
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
