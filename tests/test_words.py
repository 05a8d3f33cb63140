"""One word per thing, in plain English: what the glossary has replaced does not come back."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
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
    "watcher": "callback",
    "patient": "probe",
    "examiner": "health_monitor",
    "judgement": "score",
    "told": "message",
    "Remarks": "ErrorOutput",
    "Closed": "ClosedOutput",
    "KeptLooks": "EntrySelection",
    "Opposed": "Contradiction",
    "_Leaders": "_UnionFind",
    "Rhythm": "SpectralPeak",
}
"""Names of code, each with the one that stands for it now."""

STAY = {"num_pictures", "open_pictures"}
"""Names on disk or public; names of findings and warnings and keys of JSON stand in strings of their own."""

TURNS = {
    r"\bpictures?\b": "image",
    r"\bgraphics cards?\b": "GPU",
    r"\bseed maps?\b": "base map",
    r"(?<!contact )(?<!duplicate )(?<![-_\"'/.])\bsheets?\b(?![-_\"'=(.])": "sample grid",
    r"\b(a|every|each|another|one) training\b(?!-| (set|step|image|run|loop|data|process))": "run",
    r"\btrainings\b": "runs",
    r"\banew\b": "again",
    r"\bin vain\b": "without effect",
    r"\bhears? of\b|\bheard of\b": "is called with",
    r"\b(is|are|was|were|be|been) told\b": "is printed, is given",
    r"\bbut for\b": "except",
    r"\b(go|goes|went|gone|going) on\b": "resume, continue",
    r"\bcan(not)? be meant\b": "invalid",
    r"\b(that|which) (is|are) none\b": "unknown, invalid",
    r"\b(latent vector|image|file|line|row) a (seed|class|file|folder|step|run|processor|image)\b": "per",
    r"\bone a (processor|seed|class|step)\b": "one per",
}
"""Turns of phrase, each with a plain one."""

NO_VERBS = (
    "the a an what whether how who whom whose where which when why all each every of as one in on at by "
    "for from to with without those these this that its their it they so such some any no none not only "
    "if while until since than then there two three four half most least both either neither another "
    "other first last next same more fewer less"
)
"""Words with which a docstring of a function does not begin: it begins with what the function does."""

PAGES = [
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / name for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md")),
]
HISTORY = {"log.md"}
"""What was tried is told in the words of its time."""

RENAMES = {"CHANGELOG.md"}
"""It gives the former name of what was renamed."""

HEADLINE = {"README.md"}
"""Its first lines speak to people of pictures."""


def old_names(text: str) -> list[str]:
    """Names of Python code that have been replaced."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    names = [token.string for token in tokens if token.type == tokenize.NAME]
    return [name for name in names if name in REPLACED or ("picture" in name.lower() and name not in STAY)]


def old_words(text: str) -> list[str]:
    """Names in the code of a page that have been replaced."""
    code = re.findall(r"`([^`\n]+)`", text)
    return [word for piece in code for word in re.findall(r"\w+", piece) if word in REPLACED]


def turns(text: str) -> list[str]:
    """Turns of phrase that have been replaced, outside of code in backticks and of hyphenated names."""
    plain = re.sub(r"``?[^`\n]*``?|\b\w+-pictures?\b", "", text)
    return [found[0] for pattern in TURNS for found in re.finditer(pattern, plain, re.IGNORECASE)]


def texts(code: str) -> Iterator[str]:
    """Comments and strings of Python code, without the code in them; single words are keys and names."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT or (
            token.type == tokenize.STRING and not re.fullmatch(r"[A-Za-z]*(['\"])[\w-]*\1", token.string)
        ):
            is_format = (
                token.type == tokenize.STRING and "f" in token.string.partition(token.string[-1])[0].lower()
            )
            yield re.sub(r"\{[^{}]*\}", "", token.string) if is_format else token.string


def without_a_verb(code: str) -> list[str]:
    """First lines of the docstrings of functions that begin with something else than an imperative."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if not first or any("property" in ast.unparse(each) for each in node.decorator_list):
            continue
        word = re.match(r"[A-Z][a-z-]*", first)
        if not word or word[0].lower() in NO_VERBS.split() or re.search(r"(?<![su])s$", word[0]):
            found.append(f"{node.name}: {first}")
    return found


@pytest.mark.parametrize("folder", ["src", "tools"])
def test_no_replaced_name_in_code(folder):
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (names := old_names(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_no_old_turn_in_code():
    found = {
        str(path.relative_to(ROOT)): old
        for path in sorted((ROOT / "src").rglob("*.py"))
        if (old := [turn for text in texts(path.read_text(encoding="utf-8")) for turn in turns(text)])
    }
    assert found == {}


def test_functions_say_what_they_do():
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / "src").rglob("*.py"))
        if (lines := without_a_verb(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_no_replaced_name_or_turn_on_a_page():
    found = {}
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        old = turns(text) + ([] if path.name in RENAMES else old_words(text))
        if path.name in HEADLINE:
            old = [word for word in old if "picture" not in word.lower()]
        if old and path.name not in HISTORY:
            found[path.name] = old
    assert found == {}


def test_what_stands_for_them_is_there():
    """A replacement that is renamed itself would leave the list behind."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
    assert [new for new in REPLACED.values() if not re.search(rf"\b{new}\b", code)] == []


def test_planted_names_are_found():
    assert old_names("def take_turns(rules: Rules) -> None:\n    'Players'\n") == ["take_turns", "Rules"]
    assert old_names("num_pictures = pictures") == ["pictures"]
    assert old_words("the `Players` and `step.Rules`, not Players") == ["Players", "Rules"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all pictures of the run", ["pictures"]),
        ("the finding too-few-pictures, the key ``pictures``, `--sheet`", []),
        ("a sheet of 64 images", ["sheet"]),
        ("a contact sheet", []),
        ("it goes on, but for one training, which is told anew in vain", None),
        ("one latent vector a seed", ["latent vector a seed"]),
        ("a training set, a training step", []),
    ],
)
def test_planted_turns_are_found(text, expected):
    if expected is None:
        assert len(turns(text)) == 6
    else:
        assert turns(text) == expected


def test_planted_docstrings_are_found():
    code = (
        "def a():\n    'What it is.'\ndef b():\n    'Returns it.'\ndef c():\n    'Return it.'\n"
        "class D:\n    'The thing.'\n    @property\n    def e(self):\n        'The size.'\n"
        "def f():\n    'Process it; see ``g``.'\ndef g():\n    '(x, y) of it.'\n"
    )
    assert without_a_verb(code) == ["a: What it is.", "b: Returns it.", "g: (x, y) of it."]
