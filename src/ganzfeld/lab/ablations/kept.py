"""The file docs/ablations.json, which keeps the results that the pages are written from, one in a line.

It is one file, so that it can stand in a repository beside the pages, complete or in part: its runs count as
made, and the pages can be written from it alone.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from ganzfeld.errors import UsageError
from ganzfeld.lab.ablations.cells import BY_KEY, Conditions
from ganzfeld.lab.ablations.results import Result, identity_of, one_space, read_all
from ganzfeld.output import Mark, require_replaceable, write_output
from ganzfeld.strict_json import strict_json

KEPT = "ablations.json"
"""Its name, in the folder of the pages."""


def all_results(folder: Path, docs: Path, conditions: Conditions) -> list[Result]:
    """Return the results of both a folder of results and the file in ``docs``; the folder's where both have a
    run. Raises ``UsageError`` for a damaged file, and as ``read_all`` does.
    """
    results = {(result.cell, result.seed): result for result in read_kept(docs / KEPT, conditions)}
    results |= {(result.cell, result.seed): result for result in read_all(folder, conditions)}
    return one_space(sorted(results.values(), key=_place), folder)


def read_kept(path: Path, conditions: Conditions) -> list[Result]:
    """Return the results in a file that were made under these conditions by today's recipes; none if there is
    no file. Raises ``UsageError`` for a file that is not of this kind.
    """
    try:
        entries = strict_json(path.read_bytes())["results"]
        results = [Result.model_validate(entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, ValidationError, KeyError, TypeError) as problem:
        raise UsageError(
            f"{path} does not hold results of ablations",
            "Restore it, delete it, or name another folder: --docs FOLDER.",
        ) from problem
    return [
        result
        for result in results
        if result.images == conditions.images
        and result.cell in BY_KEY
        and result.identity == identity_of(BY_KEY[result.cell], conditions)
    ]


def write_kept(results: Iterable[Result], docs: Path) -> None:
    """Write the file, sorted by cell and seed, so that the same results give the same bytes.

    Raises ``UsageError`` for a file of the user's, ``ResourceError`` if it cannot write.
    """
    lines = [json.dumps(result.model_dump(mode="json")) for result in sorted(results, key=_place)]
    head = json.dumps(Mark.ABLATIONS.text)
    text = f'{{"software": {head},\n"results": [\n' + ",\n".join(lines) + "\n]}\n"
    write_output(docs / KEPT, text.encode(), Mark.ABLATIONS)


def require_kept_replaceable(docs: Path) -> None:
    """Raise ``UsageError`` if the file would overwrite one that this command has not written."""
    require_replaceable(docs / KEPT, Mark.ABLATIONS)


def _place(result: Result) -> tuple[int, int]:
    return list(BY_KEY).index(result.cell), result.seed
