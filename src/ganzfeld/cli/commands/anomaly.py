"""``ganzfeld anomaly``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.inside_page import Shown, show_and_keep
from ganzfeld.cli.speech import Json
from ganzfeld.progress import tell

if TYPE_CHECKING:
    from ganzfeld.inside.anomaly.detection import Anomalies
    from ganzfeld.inside.anomaly.files import AnomalyFiles
    from ganzfeld.inside.anomaly.ranking import Ranking

MOST_LINES = 20


def command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder, or a model folder.")],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, or folders, archives or arrays of images.")
    ],
    normal: Annotated[
        Path,
        typer.Option(help="Folder, archive or array of normal images that the run was not trained on."),
    ],
    rate: Annotated[
        float,
        typer.Option(help="Rate of false alarms: 0.05 flags one normal image in twenty, and needs 20."),
    ] = 0.05,
    method: Annotated[
        str,
        typer.Option(help="fast: an encoder, then Adam; best: also Levenberg-Marquardt, far slower."),
    ] = "fast",
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Also try methods without a generator, and say which is better."),
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(help="Table (CSV or other text) with a column of file names and one of labels."),
    ] = None,
    normal_label: Annotated[
        list[str] | None,
        typer.Option(help="The label or class of normal images; repeatable. Default: normal, good, ok or 0."),
    ] = None,
    of: Annotated[
        str | None, typer.Option("--class", help="Class of all images. Default: the best class of each.")
    ] = None,
    fit: Annotated[
        bool, typer.Option("--fit", help="Crop, scale and convert images as training images are.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write to. Default: RUN-anomaly.")] = None,
    json: Json = False,
) -> None:
    """Flag images that are unlike normal ones, and show where.

    The generator reproduces each image as well as it can; what it leaves is compared with what it leaves of
    normal images. Writes scores.csv, maps.npy (a heat map per image), and anomaly.png. If labels are known,
    from --labels or folders by class, the area under the ROC curve is reported.

    Example: ganzfeld anomaly runs/faces-001 new/ --normal checked/ --compare
    """
    from ganzfeld.inside.anomaly.detection import Settings
    from ganzfeld.inside.anomaly.files import KnownLabels, anomaly_files

    out = out or Path(f"{run.resolve().name}-anomaly")
    files = anomaly_files(
        run,
        images,
        normal,
        out,
        Settings(rate, method, compare, of),
        known=KnownLabels(labels, normal_label or []),
        fit=fit,
    )
    for note in files.anomalies.notes:
        tell(note)
    settings = {"normal images": normal, "rate of false alarms": rate, "method": method}
    show_and_keep(context, run, _result(run, files), _text(files), json, _shown(files, settings))


def _result(run: Path, files: "AnomalyFiles") -> dict:
    done = files.anomalies
    rows = zip(files.places, done.scores.tolist(), done.is_flagged.tolist(), files.labels, strict=True)
    return {
        "run": str(run.resolve()),
        "method": done.method,
        "images": [
            {"path": place, "score": round(score, 4), "is_flagged": is_flagged, "label": label or None}
            for place, score, is_flagged, label in rows
        ],
        "num_flagged": int(done.is_flagged.sum()),
        "threshold": round(done.threshold, 4),
        "map_threshold": round(done.map_threshold, 4),
        "rate": done.rate,
        "rate_interval": [round(bound, 4) for bound in done.rate_interval],
        "num_normal": len(done.normal_scores),
        "auroc": done.ranking.as_json() if done.ranking else None,
        "baselines": [
            {
                "name": entry.name,
                "threshold": round(entry.threshold, 4),
                "num_flagged": int(entry.is_flagged.sum()),
                "auroc": ranked.as_json() if (ranked := done.ranking_of(entry.scores)) else None,
                "scores": [round(score, 4) for score in entry.scores.tolist()],
            }
            for entry in done.baselines
        ],
        "seconds": round(done.seconds, 3),
        "sheet": str(files.sheet.resolve()),
        "scores": str(files.scores.resolve()),
        "maps": str(files.maps.resolve()),
        "sentence": done.sentence,
        "notes": list(done.notes),
    }


def _shown(files: "AnomalyFiles", settings: dict[str, object]) -> Shown:
    from ganzfeld.inside.anomaly.sheet import anomaly_sheet
    from ganzfeld.model import png

    done = files.anomalies
    rows = [[name, str(num), ranked.text if ranked else "unknown"] for name, num, ranked in _methods(done)]
    return Shown(
        images={"score, image, reconstruction, heat map": png(anomaly_sheet(done))},
        files=(files.sheet, files.scores, files.maps),
        settings=settings,
        table=[["method", "flagged", "AUROC"], *rows],
        images_seen=files.images_seen,
    )


def _methods(done: "Anomalies") -> list[tuple[str, int, "Ranking | None"]]:
    """Return the generator and the baselines by name, with the number of flagged images and the AUROC."""
    from ganzfeld.inside.anomaly.baselines import NAMES

    named = [("this generator", done), *((NAMES[entry.name], entry) for entry in done.baselines)]
    return [(name, int(entry.is_flagged.sum()), done.ranking_of(entry.scores)) for name, entry in named]


def _text(files: "AnomalyFiles") -> str:
    done = files.anomalies
    lines = [f"flagged above {done.threshold:.2f}"]
    for index in (-done.scores).argsort(kind="stable")[:MOST_LINES].tolist():
        flag = "flagged" if done.is_flagged[index] else ""
        label = f"  ({files.labels[index]})" if files.labels[index] else ""
        lines.append(f"{done.scores[index]:8.2f} {flag:7}  {files.places[index]}{label}")
    if len(done.scores) > MOST_LINES:
        lines.append(f"and {len(done.scores) - MOST_LINES:,} more in {files.scores.name}")
    if done.baselines:
        lines.append(f"{'':38} {'flagged':>7}  AUROC")
        for name, num, ranked in _methods(done):
            lines.append(f"{name:38} {num:7,}  {ranked.text if ranked else 'unknown'}")
    return "\n".join([*lines, done.sentence, f"files    {files.sheet.parent}"])
