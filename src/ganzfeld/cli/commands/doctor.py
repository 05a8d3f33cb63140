"""``ganzfeld doctor``."""

from pathlib import Path
from typing import Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import DamagedError, ResourceError
from ganzfeld.progress import tell


def command(run: Annotated[Path, typer.Argument(help="A run folder.")], json: Json = False) -> None:
    """Tell whether a run is healthy and why, also while it trains.

    Every finding is shown with its evidence, its cause, and a command that trains again with the remedy. The
    verdict is healthy, early, watch or sick. It is early while little has been learned, or while there are
    too few readings, such as in the first seconds of a run. It is written to verdict.json in the run folder,
    too. The exit code is 0 whatever the verdict, 2 if there is no run, and 5 if its files cannot be read.

    Example: ganzfeld doctor runs/photos-001
    """
    from ganzfeld.cli.doctor_text import doctor_text, images_of, train_again
    from ganzfeld.runs import open_run

    opened = open_run(run)
    verdict = opened.diagnose()
    commands = {
        finding.name: [train_again(opened, remedy) for remedy in finding.remedies]
        for finding in verdict.findings
    }
    findings = [
        finding.as_json()
        | {
            "pictures": [str(grid) for grid in images_of(opened, finding)],
            "command": commands[finding.name][0],
            "otherwise_command": (commands[finding.name][1:] or [""])[0],
        }
        for finding in verdict.findings
    ]
    result = verdict.as_json() | {
        "run": str(opened.path),
        "findings": findings,
        "journal_every": opened.journal_every,
    }
    try:
        opened.write_verdict(verdict)
    except (ResourceError, DamagedError) as error:
        tell(f"verdict.json was not written: {error.message}")
    show_result(result, doctor_text(opened, verdict, commands), json)
