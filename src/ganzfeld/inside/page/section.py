"""A section of ``inside.html``: what one command made, with all that is needed to show it again.

A record holds its images, so that it is written and read as a whole, and nothing that is shown depends on
files that the user may move.
"""

import base64
import binascii
import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from PIL import Image
from pydantic import AfterValidator, Field, StringConstraints

from ganzfeld.printable import counted, in_shell, printable
from ganzfeld.record import Count, Record
from ganzfeld.runs.report.page import data_url

MOST_ROWS = 60
"""Rows of a table that are kept."""
LONGEST_TEXT = 2_000
"""Characters. The command line of a hundred files may have more; its middle is left out."""
MOST_PNG_BYTES = 2**21
"""A PNG with more is made smaller."""
MOST_FILM_BYTES = 2**22
"""A film with more is left out: making it smaller takes long, and the user has its file."""
MOST_SIDE = 2_000
"""Pixels per side of a PNG that was made smaller."""
MOST_DOUBLED = 200
"""Pixels: images up to this width are shown twice as large."""
MOST_PIXELS = 2**26
"""Images with more are left out."""

_KINDS = {"PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
_BASE64_BYTES = MOST_FILM_BYTES * 4 // 3 + 4

_Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT + 100)]
_Line = tuple[_Text, ...]


def _require_kind(text: str) -> str:
    _kind(text)
    return text


def _kind(text: str) -> str:
    """Return the media type of an encoded image. Raises ``ValueError`` unless it is one that is shown."""
    try:
        head = base64.b64decode(text, validate=True)[:12]
    except (binascii.Error, ValueError):
        raise ValueError("an image is not valid base64") from None
    for start, kind in ((b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF8", "GIF"), (b"RIFF", "WEBP")):
        if head.startswith(start) and (kind != "WEBP" or head[8:] == b"WEBP"):
            return _KINDS[kind]
    raise ValueError("an image is neither PNG, GIF nor WebP")


def _require_time(text: str) -> str:
    """Return a time in UTC to the microsecond, so that times are ordered like their text."""
    time = datetime.fromisoformat(text)
    if time.utcoffset() != timedelta() or time.isoformat(timespec="microseconds") != text:
        raise ValueError("a time is not in UTC to the microsecond")
    return text


class PageImage(Record):
    """An image or a film with its caption and its size in pixels; ``content`` is the file in base64."""

    caption: _Text
    width: Annotated[int, Field(ge=1, le=2**16)]
    height: Annotated[int, Field(ge=1, le=2**16)]
    content: Annotated[str, StringConstraints(max_length=_BASE64_BYTES), AfterValidator(_require_kind)]

    @property
    def url(self) -> str:
        """The image as an address that holds all of it."""
        return data_url(_kind(self.content), base64.b64decode(self.content))

    @property
    def shown_width(self) -> int:
        """The width at which it is shown: small images are doubled."""
        return self.width * 2 if self.width <= MOST_DOUBLED else self.width


class Section(Record):
    """What one command made. All text is safe to show, and of limited length."""

    title: _Text
    command: _Text
    time: Annotated[str, AfterValidator(_require_time)]
    sentence: _Text
    settings: tuple[tuple[_Text, _Text], ...] = ()
    table: tuple[_Line, ...] = ()
    """A heading, then the rows."""
    more_rows: Count = 0
    images: tuple[PageImage, ...] = ()
    files: tuple[_Text, ...] = ()
    notes: tuple[_Text, ...] = ()

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits, the same for the same command that writes the same files."""
        return hashlib.sha256("\0".join([self.command, *self.files]).encode()).hexdigest()[:16]

    @property
    def minute(self) -> str:
        """When it was made, such as ``2026-01-31 18:05``, in local time."""
        return f"{datetime.fromisoformat(self.time).astimezone():%Y-%m-%d %H:%M}"


def section(
    title: str,
    words: Sequence[str],
    sentence: str,
    *,
    images: Mapping[str, bytes] | None = None,
    files: Sequence[Path] = (),
    settings: Mapping[str, object] | None = None,
    table: Sequence[Sequence[str]] = (),
    notes: Sequence[str] = (),
) -> Section:
    """Describe what a command made, now.

    - ``title`` names the command, such as ``latent walk``; ``words`` are those typed after ``ganzfeld``;
    - ``images`` are PNG, GIF or WebP files by their caption; large ones are made smaller or left out, with a
      note on the page;
    - ``files`` are those that the command wrote;
    - ``settings`` are shown as a list, such as the seeds; None leaves one out;
    - ``table`` is shown as a table, its heading first.

    Raises ``ValueError`` for an image that is damaged or of another format.
    """
    kept, notes = [], list(notes)
    for caption, content in (images or {}).items():
        image = _page_image(caption, content)
        if image is None:
            notes.append(f"{caption}: too large for this page ({len(content) / 2**20:.1f} MiB), see its file")
        else:
            kept.append(image)
    command = " ".join(["ganzfeld", *(in_shell(word) for word in words if word != "--json")])
    rows = [tuple(map(_text, row)) for row in table]
    return Section(
        title=_text(title),
        command=_text(command),
        time=datetime.now(UTC).isoformat(timespec="microseconds"),
        sentence=_text(sentence),
        settings=tuple(
            (_text(name), _text(str(value))) for name, value in (settings or {}).items() if value is not None
        ),
        table=tuple(rows[: MOST_ROWS + 1]),
        more_rows=max(0, len(rows) - MOST_ROWS - 1),
        images=tuple(kept),
        files=tuple(_text(str(path.absolute())) for path in files[:MOST_ROWS]),
        notes=tuple(map(_text, [*notes, *_more_files(len(files))])),
    )


def _more_files(num: int) -> list[str]:
    return [f"{counted(num - MOST_ROWS, 'more file')} written"] if num > MOST_ROWS else []


def _text(text: str) -> str:
    return printable(text, LONGEST_TEXT)


def _page_image(caption: str, content: bytes) -> PageImage | None:
    """Return an image for the page; None if it is too large. Raises ``ValueError`` if it is damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=tuple(_KINDS)) as image:
                is_film, (width, height) = getattr(image, "n_frames", 1) > 1, image.size
                if width * height > MOST_PIXELS or (is_film and len(content) > MOST_FILM_BYTES):
                    return None
                if not is_film and len(content) > MOST_PNG_BYTES:
                    content, width, height = _smaller(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the image {caption!r} cannot be read: {error}") from None
    return PageImage(
        caption=_text(caption), width=width, height=height, content=base64.b64encode(content).decode()
    )


def _smaller(image: Image.Image) -> tuple[bytes, int, int]:
    """Return an image with fewer bytes, as WebP, and its width and height."""
    small = image.convert("RGB")
    small.thumbnail((MOST_SIDE, MOST_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=90)
    return buffer.getvalue(), small.width, small.height
