"""The ``dataset.json`` of StyleGAN's tools: ``{"labels": [["00000/img00000000.png", 6], ...]}``, or null.

Its labels are taken by the rules for arrays of labels; see ``_array_labels``.
"""

import json
from typing import Any

import numpy as np

from ganzfeld.data.sources._array_labels import MOST_CHARACTERS, Rejected, labels_of_values

FILE_NAME = "dataset.json"
MOST_BYTES = 2**28
_FORM = 'It has the form {"labels": [[NAME, LABEL], ...]}.'


def class_by_name(content: bytes, prefix: str = "") -> tuple[dict[str, str], str]:
    """The class of each image by its name (``prefix`` put before), and a note if it cannot be told.

    A file that cannot be understood costs the labels, never the images.
    """
    try:
        pairs = _pairs(content)
        labels = labels_of_values(_values([label for _, label in pairs])) if pairs else []
    except Rejected as problem:
        return {}, f"the labels in {FILE_NAME} are ignored: {problem}"
    names = [prefix + name.replace("\\", "/") for name, _ in pairs]
    return dict(zip(names, labels, strict=True)), ""


def _pairs(content: bytes) -> list[tuple[str, Any]]:
    """The names and labels of a file; ``Rejected`` for one of another form."""
    if len(content) > MOST_BYTES:
        raise Rejected(f"the file is larger than {MOST_BYTES // 2**20} MiB")
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise Rejected(f"the file is not JSON ({problem})") from None
    if not isinstance(whole, dict) or "labels" not in whole:
        raise Rejected(f"the file is no object with labels. {_FORM}")
    labels = whole["labels"]
    if labels is None:
        return []
    if not isinstance(labels, list):
        raise Rejected(f"they are no list but {_kind(labels)}. {_FORM}")
    for each in labels:
        if not (isinstance(each, list) and len(each) == 2 and isinstance(each[0], str)):
            raise Rejected(f"they are no pairs of a name and a label, such as {str(each)[:60]}. {_FORM}")
    return [(name, label) for name, label in labels]


def _values(labels: list[Any]) -> np.ndarray:
    """The labels as an array; ``Rejected`` for what no array of one type holds without a loss."""
    if any(label is None for label in labels):
        raise Rejected(f"{sum(label is None for label in labels):,} of {len(labels):,} are null")
    if any(isinstance(label, str) and len(label) > MOST_CHARACTERS for label in labels):
        raise Rejected(f"texts of more than {MOST_CHARACTERS} characters")
    kinds = {_kind(label) for label in labels}
    if len(kinds) > 1 and kinds != {"a number", "a fraction"}:
        raise Rejected(f"they are of several types: {' and '.join(sorted(kinds))}")
    try:
        return np.array(labels)
    except (ValueError, OverflowError):
        raise Rejected("they are lists of several lengths, or numbers too large") from None


def _kind(label: Any) -> str:
    kinds = {bool: "a truth value", int: "a number", float: "a fraction", str: "a text", list: "a list"}
    return kinds.get(type(label), "an object")
