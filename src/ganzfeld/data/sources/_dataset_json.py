"""The ``dataset.json`` of StyleGAN's tools: ``{"labels": [["00000/img00000000.png", 6], ...]}``, or null."""

import json

FILE_NAME = "dataset.json"
MOST_BYTES = 2**28


def class_by_name(content: bytes, prefix: str = "") -> tuple[dict[str, str], str]:
    """The class of each picture by its name (``prefix`` put before), and a note if it cannot be told.

    A file that cannot be understood costs the labels, never the pictures.
    """
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES // 2**20} MiB")
        labels = json.loads(content)["labels"]
        if labels is None:
            return {}, ""
        by_name = {prefix + str(name).replace("\\", "/"): label for name, label in labels}
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        return (
            {},
            f"{FILE_NAME} is not in StyleGAN's form and is ignored ({type(problem).__name__}: {problem})",
        )
    if not all(isinstance(label, int) for label in by_name.values()):
        return {}, f"the labels in {FILE_NAME} are not whole numbers and are ignored"
    return {name: str(label) for name, label in by_name.items()}, ""
