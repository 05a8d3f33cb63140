"""The result of a run, as JSON or as text: the end of ``train`` and ``resume``."""

from ganzfeld.cli.speech import show_result
from ganzfeld.health import Diagnosis
from ganzfeld.launch import launch
from ganzfeld.printable import duration, in_shell
from ganzfeld.runs import Run
from ganzfeld.runs.report.quality_words import quality_in_words


def show_outcome(run: Run, as_json: bool) -> None:
    """Show where the run is, how long it trained, how good it is, and what to do next."""
    if not launch().speaks:
        return  # other ranks need not have access to the run folder
    last, verdict = run.position, run.diagnose()
    speed = last.images_seen / last.seconds if last.seconds else 0.0
    final = run.metadata.final
    final = final if final and final.at_images == last.images_seen else None
    best = final.best if final else None
    result = {
        "run": str(run.path),
        "images_seen": last.images_seen,
        "resumed_at_images": run.metadata.resumed_at_images,
        "seconds": round(last.seconds, 3),
        "images_per_s": round(speed, 2),
        "kernel_distance": best.kernel_distance if best else None,
        "kernel_distance_error": best.error if best else None,
        "best_at_images": best.images_seen if best else None,
        "verdict": verdict.verdict,
        "trials": [trial.model_dump(mode="json") for trial in run.metadata.trials],
        "report": str(run.path / "report.html"),
        "model": str(run.path / "model" / ("best" if best else "last")),
    }
    tried = "".join(f"tried    {trial.summary}\n" for trial in run.metadata.trials)
    shown = f"images   {run.sample_files[-1]}\n" if run.sample_files else ""
    text = (
        f"{last.images_seen:,} images in {duration(last.seconds)} ({speed:,.0f}/s)\n"
        f"quality  {quality_in_words(run, last.images_seen)}\n"
        f"verdict  {_in_words(verdict, run)}\n"
        f"{tried}"
        f"report   {run.path / 'report.html'}\n"
        f"{shown}"
        f"more     ganzfeld sample {in_shell(run.path)}"
    )
    show_result(result, text, as_json)


def _in_words(verdict: Diagnosis, run: Run) -> str:
    """Return the verdict with its findings, and the command that tells more."""
    if not verdict.findings:
        return verdict.sentence
    alike = f"; the quality says little, as all images are alike ({verdict.alike})" if verdict.alike else ""
    return f"{verdict.verdict}: {verdict.sentence}{alike}; ganzfeld doctor {in_shell(run.path)}"
