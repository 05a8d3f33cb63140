"""One word per thing: words that the glossary has replaced do not come back."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

REPLACED = {
    "Players": "GANState",
    "Rules": "StepConfig",
    "Moment": "StepContext",
    "Patient": "ProbeContext",
    "Case": "RunEvidence",
    "Symptom": "OutOfRange",
    "Examiner": "HealthMonitor",
    "Consultation": "DiagnosisMonitor",
    "Facts": "RunMetadata",
    "Circumstances": "Environment",
    "Judgement": "QualityScore",
    "History": "CheckpointStore",
    "Watcher": "TrainCallback",
    "Crew": "WorkerPool",
    "Known": "ReuseIndex",
    "Framing": "Preprocessing",
    "Listing": "FileList",
    "Route": "FastPath",
    "Wishes": "Overrides",
    "Terms": "TrainOptions",
    "take_turns": "alternating_update",
    "play_together": "simultaneous_update",
    "as_seen": "apply_transforms",
    "descend": "apply_gradients",
    "judged_by": "discriminator_logits",
    "players": "gan",
    "boards": "replicas",
}
"""Names of code, each with the one that stands for it now."""

PAGES = [
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / name for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md")),
]
HISTORY = {"log.md"}
"""What was tried is told in the words of its time."""


def old_names(text: str) -> list[str]:
    """Names of Python code that have been replaced."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.NAME and token.string in REPLACED]


def old_words(text: str) -> list[str]:
    """Names in the code of a page that have been replaced."""
    code = re.findall(r"`([^`\n]+)`", text)
    return [word for piece in code for word in re.findall(r"\w+", piece) if word in REPLACED]


@pytest.mark.parametrize("folder", ["src", "tools"])
def test_no_replaced_name_in_code(folder):
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (names := old_names(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_no_replaced_name_on_a_page():
    found = {
        path.name: names
        for path in PAGES
        if path.name not in HISTORY and (names := old_words(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_what_stands_for_them_is_there():
    """A replacement that is renamed itself would leave the list behind."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
    assert [new for new in REPLACED.values() if not re.search(rf"\b{new}\b", code)] == []


def test_planted_names_are_found():
    assert old_names("def take_turns(rules: Rules) -> None:\n    'Players'\n") == ["take_turns", "Rules"]
    assert old_words("the `Players` and `step.Rules`, not Players") == ["Players", "Rules"]
