"""``ganzfeld doctor``."""

from pathlib import Path
from typing import Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import DamagedError, ResourceError
from ganzfeld.progress import tell


def command(run: Annotated[Path, typer.Argument(help="A run folder.")], json: Json = False) -> None:
    """Say whether a run is healthy and why, also while it trains.

    Every finding comes with what it is seen by, what causes it, and a command that trains again with the
    remedy. The verdict is healthy, watch or sick; it is watch too where there is nothing to judge by, such as
    in the first seconds of a run. It is also written to verdict.json in the run folder. The exit code is 0
    whatever the verdict is, 2 where there is no run, 5 where its files cannot be read.

    Example: ganzfeld doctor runs/photos-001
    """
    from ganzfeld.cli.doctor_text import doctor_text, images_of, train_again
    from ganzfeld.runs import open_run

    opened = open_run(run)
    verdict, metadata = opened.diagnose(), opened.metadata
    commands = {
        each.name: [train_again(opened.path, metadata, remedy) for remedy in each.remedies]
        for each in verdict.findings
    }
    findings = [
        each.as_json()
        | {
            "pictures": [str(sheet) for sheet in images_of(opened, each)],
            "command": commands[each.name][0],
            "otherwise_command": (commands[each.name][1:] or [""])[0],
        }
        for each in verdict.findings
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
