"""What the commands of ``ganzfeld latent`` share: their arguments, and the names of their files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ganzfeld.errors import UsageError
from ganzfeld.output import Mark, require_replaceable

RunFolder = Annotated[Path, typer.Argument(help="A run folder, or a model folder.")]
OfClass = Annotated[
    str | None,
    typer.Option("--class", help="Class of all images. Default: that of the first seed, as in sample."),
]


def out_paths(out: Sequence[Path] | None, run: Path, what: str, suffixes: Sequence[str]) -> list[Path]:
    """Return the files to write: those named, or RUN-what with each of the suffixes."""
    return list(out) if out else [Path(f"{run.resolve().name}-{what}{suffix}") for suffix in suffixes]


def require_writable(paths: Sequence[Path], mark: Mark) -> None:
    """Raise ``UsageError`` or ``ResourceError`` unless all files may be written, each only once."""
    for path in paths:
        require_replaceable(path, mark)
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("a file is named twice with --out", "Name different files.")


def require_suffix(path: Path, *suffixes: str) -> None:
    """Raise ``UsageError`` unless a path ends in one of these suffixes."""
    if path.suffix.lower() not in suffixes:
        kinds = " or ".join(suffixes)
        raise UsageError(f"{path} does not end in {kinds}", f"Name a file that ends in {kinds}.")


def absolute(paths: Sequence[Path]) -> list[str]:
    """Return absolute paths, for JSON."""
    return [str(path.resolve()) for path in paths]
