"""The figure of an outcome as a file, in either language."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from typing import Any

from ganzfeld.lab.experiments import experiments
from ganzfeld.lab.language import speaking
from ganzfeld.lab.outcome import Outcome

FONT = files("ganzfeld.lab").joinpath("fonts", "ganzfeld-chinese.otf")
"""A subset of Noto Sans CJK SC with the characters of the lab's texts; made by ``tools/subset_font.py``."""


def drawn(outcome: Outcome, language: str = "en") -> bytes:
    """Draw the figure of an outcome in a language, and return it as a PNG file."""
    buffer = io.BytesIO()
    with lettering(language):
        figure = experiments.load(outcome.name, "figure").draw(outcome)
        figure.savefig(buffer, format="png", dpi=140, metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def lettering(language: str) -> Iterator[None]:
    """Speak a language while a figure is drawn, with a font that has its characters.

    matplotlib knows fonts and styles only globally: the font is added once, and the style is restored.
    """
    import matplotlib as mpl  # half a second to import, and needed here only

    styles: dict[Any, Any] = {"font.family": ["DejaVu Sans", _chinese_family()]} if language == "zh" else {}
    with speaking(language), mpl.rc_context(styles):
        yield


@cache
def _chinese_family() -> str:
    """Add the Chinese font to those that matplotlib knows, and return the name of its family."""
    from matplotlib import font_manager

    with as_file(FONT) as path:
        font_manager.fontManager.addfont(path)
        return font_manager.FontProperties(fname=str(path)).get_name()
