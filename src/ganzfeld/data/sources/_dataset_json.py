"""Read the ``dataset.json`` of StyleGAN's tools: ``{"labels": [["00000/img00000000.png", 6], ...]}`` or null.

Its labels follow the rules for arrays of labels; see ``_array_labels``.
"""

import json
from typing import Any

import numpy as np

from ganzfeld.data.sources._array_labels import MOST_CHARACTERS, Rejected, labels_of_values

FILE_NAME = "dataset.json"
MOST_BYTES = 2**28
_FORM = 'It has the form {"labels": [[NAME, LABEL], ...]}.'


def class_by_name(content: bytes, prefix: str = "") -> tuple[dict[str, str], str]:
    """Return the class of each image by its name (preceded by ``prefix``), and a note if there is a problem.

    If the file is invalid, the labels are lost, but never the images.
    """
    try:
        pairs = _pairs(content)
        labels = labels_of_values(_values([label for _, label in pairs])) if pairs else []
    except Rejected as problem:
        return {}, f"the labels in {FILE_NAME} are ignored: {problem}"
    names = [prefix + name.replace("\\", "/") for name, _ in pairs]
    return dict(zip(names, labels, strict=True)), ""


def _pairs(content: bytes) -> list[tuple[str, Any]]:
    """Return the names and labels in a file; raise ``Rejected`` if it has another form."""
    if len(content) > MOST_BYTES:
        raise Rejected(f"the file is larger than {MOST_BYTES // 2**20} MiB")
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise Rejected(f"the file is not JSON ({problem})") from None
    if not isinstance(whole, dict) or "labels" not in whole:
        raise Rejected(f"the file is not an object with labels. {_FORM}")
    labels = whole["labels"]
    if labels is None:
        return []
    if not isinstance(labels, list):
        raise Rejected(f"they are not a list but {_kind(labels)}. {_FORM}")
    for pair in labels:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise Rejected(f"{str(pair)[:60]} is not a pair of a name and a label. {_FORM}")
    return [(name, label) for name, label in labels]


def _values(labels: list[Any]) -> np.ndarray:
    """Return the labels as an array; raise ``Rejected`` if no array of one type holds them without loss."""
    if any(label is None for label in labels):
        raise Rejected(f"{sum(label is None for label in labels):,} of {len(labels):,} are null")
    if any(isinstance(label, str) and len(label) > MOST_CHARACTERS for label in labels):
        raise Rejected(f"texts of more than {MOST_CHARACTERS} characters")
    kinds = {_kind(label) for label in labels}
    if len(kinds) > 1 and kinds != {"a number", "a fraction"}:
        raise Rejected(f"they have different types: {' and '.join(sorted(kinds))}")
    try:
        return np.array(labels)
    except (ValueError, OverflowError):
        raise Rejected("they are lists of different lengths, or numbers that are too large") from None


def _kind(label: Any) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a fraction", str: "a text", list: "a list"}
    return kinds.get(type(label), "an object")
