"""The house: imports point down only, and folders of one floor do not import each other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganzfeld

ROOT = Path(ganzfeld.__file__).parent

FLOORS = [
    {
        "errors",
        "catalogue",
        "durable",
        "launch",
        "lock",
        "option_values",
        "options",
        "output",
        "own_folder",
        "printable",
        "progress",
        "record",
        "free_memory",
        "kinds",
        "regular",
        "run_layout",
        "signals",
        "strict_json",
        "system",
        "value_kinds",
    },
    {"geometry"},
    {"networks", "losses", "stabilisers", "latent", "data"},
    {"metrics", "health"},
    {"recipes", "model"},
    {"compute", "inversion"},
    {"runs"},
    {"training"},
    {"lab", "practice", "bench", "sweep", "watching", "inside"},
    {"cli", "studio"},
    {"__main__"},
]
"""From the ground up. The ground floor may use itself; the package's ``__init__`` only names things."""

FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def violations(root: Path) -> list[str]:
    """Every import that points up or sideways, as ``file: room``."""
    found = []
    for path in sorted(root.rglob("*.py")):
        room = path.relative_to(root).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for imported in sorted(rooms_imported_by(path)):
            same_ground = FLOOR_OF[room] == FLOOR_OF[imported] == 0
            if imported != room and FLOOR_OF[imported] >= FLOOR_OF[room] and not same_ground:
                found.append(f"{path.relative_to(root)}: {imported}")
    return found


def rooms_imported_by(path: Path) -> set[str]:
    """The top-level rooms of ganzfeld that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            of_package = node.module == "ganzfeld"
            names |= {f"ganzfeld.{alias.name}" for alias in node.names} if of_package else {node.module or ""}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ganzfeld":
            names.add(f"ganzfeld.{node.attr}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    rooms = {name.split(".")[1] for name in names if name.startswith("ganzfeld.")}
    return {ganzfeld._HOMES.get(room, room) for room in rooms} - {"__version__"}


def test_every_room_has_a_floor():
    rooms = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert rooms - {"__init__", "py.typed"} <= set(FLOOR_OF)


def test_imports_point_down():
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("geometry", "from ganzfeld.networks import Generator"),
        ("losses", "import ganzfeld.latent"),
        ("training", "def late():\n    from ganzfeld.cli import main"),
        ("recipes", "from ganzfeld import model"),
        ("losses", "from ganzfeld import train"),
        ("losses", "import ganzfeld\nlate = lambda: ganzfeld.train()"),
        ("data", "import importlib\nimportlib.import_module('ganzfeld.training')"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, room: str, line: str):
    (tmp_path / room).mkdir()
    (tmp_path / room / "planted.py").write_text(line)
    assert len(violations(tmp_path)) == 1


def test_geometry_needs_the_standard_library_only():
    for path in (ROOT / "geometry").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [module] if module else []
            )
            for name in names:
                root = name.split(".")[0]
                assert root in {"ganzfeld", "collections", "dataclasses", "itertools", "math"} | {
                    "functools",
                    "statistics",
                    "typing",
                }, f"{path.name} imports {name}"


def test_nothing_is_unpickled():
    """No pickle, and no ``torch.load`` that could unpickle."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}, path
            if isinstance(node, ast.Call):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("allow_pickle", "False") == "False", path
                if ast.unparse(node.func) == "torch.load":
                    assert given.get("weights_only") == "True", path


TOO_SHORT = 150
"""Characters of a syntax tree: a call or two, such as the mean of some logits."""


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions_in(body: list[ast.stmt], outer: str = "") -> Iterator[tuple[str, Definition]]:
    """Every top-level function and class with its name, and every method of such a class."""
    for node in body:
        if isinstance(node, Definition):
            yield outer + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from definitions_in(node.body, f"{outer}{node.name}.")


def definitions_that_stand_twice(root: Path) -> list[str]:
    """Every function, class or method whose content, its docstring aside, stands elsewhere too."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.py")):
        for name, node in definitions_in(ast.parse(path.read_text(encoding="utf-8")).body):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            content = "".join(map(ast.dump, body))
            if len(content) > TOO_SHORT or isinstance(node, ast.ClassDef):
                found.setdefault(content, []).append(f"{path.relative_to(root)}: {name}")
    return [", ".join(places) for content, places in found.items() if len(places) > 1 and content]


def test_what_several_files_need_stands_once():
    assert definitions_that_stand_twice(ROOT) == []


def test_a_planted_repetition_is_caught(tmp_path: Path):
    body = "begun = time.perf_counter()\n    action()\n    return time.perf_counter() - begun\n"
    (tmp_path / "one.py").write_text(f"def seconds(action):\n    {body}")
    (tmp_path / "other.py").write_text(f'def elapsed(action):\n    """Time it."""\n    {body}')
    assert definitions_that_stand_twice(tmp_path) == ["one.py: seconds, other.py: elapsed"]


def test_a_planted_repetition_of_a_method_is_caught(tmp_path: Path):
    body = "begun = time.perf_counter()\n        action()\n        return time.perf_counter() - begun\n"
    (tmp_path / "one.py").write_text(f"class One:\n    def seconds(self, action):\n        {body}")
    (tmp_path / "other.py").write_text(f"class Other:\n    def elapsed(self, action):\n        {body}")
    assert definitions_that_stand_twice(tmp_path) == ["one.py: One.seconds, other.py: Other.elapsed"]


def test_one_base_freezes_all_data():
    """``Record`` alone says what its subclasses accept: a second base could come to say otherwise."""
    own = [path.name for path in ROOT.rglob("*.py") if "model_config" in path.read_text(encoding="utf-8")]
    assert own == ["record.py"]


def test_nothing_asks_whether_there_is_an_attribute():
    """What an object can do is said by its type; what an entry may leave out has a default."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Name) and node.id == "hasattr"), f"{path}:{node.lineno}"
            assert not (isinstance(node, ast.Attribute) and node.attr == "__mro__"), f"{path}:{node.lineno}"


def outside_assignments(path: Path) -> list[str]:
    """Every place of a file that assigns to an attribute of a trainer."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        for target in (each for outer in targets for each in ast.walk(outer)):
            owner = ast.unparse(target.value) if isinstance(target, ast.Attribute) else ""
            if owner.rpartition(".")[2].lstrip("_") == "trainer":
                found.append(f"{path.name}:{node.lineno}: {ast.unparse(target)}")
    return found


def test_the_state_of_a_trainer_has_one_owner():
    """Others ask it to change."""
    assert [each for path in sorted(ROOT.rglob("*.py")) for each in outside_assignments(path)] == []


def test_a_planted_assignment_is_caught(tmp_path: Path):
    path = tmp_path / "planted.py"
    path.write_text("self.trainer.index = 3\nloop._trainer.sound, other = 1, 2\ntrainer.rate *= 2\n")
    assert len(outside_assignments(path)) == 3


def module_of(path: Path, root: Path) -> str:
    """The dotted name of a file."""
    return ".".join(("ganzfeld", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")


def imports_by_module(root: Path) -> dict[str, set[str]]:
    """Which modules of the package each of them imports when it is loaded."""
    paths = {module_of(path, root): path for path in root.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= (inner & paths.keys()) or {node.module or ""}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        graph[module] = names & paths.keys()
    graph["ganzfeld"] = set()  # it only names things
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle of imports; empty if there is none."""
    done: set[str] = set()

    def follow(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module not in done:
            for other in sorted(graph[module]):
                if found := follow(other, [*way, module]):
                    return found
            done.add(module)
        return []

    return next((found for module in graph if (found := follow(module, []))), [])


def test_no_circle_of_imports():
    assert circle(imports_by_module(ROOT)) == []


def test_a_planted_circle_is_caught(tmp_path: Path):
    (tmp_path / "a.py").write_text("from ganzfeld import b")
    (tmp_path / "b.py").write_text("def late():\n    from ganzfeld.c import x")
    (tmp_path / "c.py").write_text("import ganzfeld.a")
    assert set(circle(imports_by_module(tmp_path))) == {"ganzfeld.a", "ganzfeld.b", "ganzfeld.c"}


LATE = {"cli", "__init__", "__main__"}
"""Where modules of our own may be imported late, so that help answers at once."""


def late_imports(root: Path) -> list[str]:
    """Every import of a module of our own inside a function."""
    found = []
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0].removesuffix(".py") in LATE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for inner in ast.walk(node):
                names = [inner.module or ""] if isinstance(inner, ast.ImportFrom) else []
                names += [alias.name for alias in inner.names] if isinstance(inner, ast.Import) else []
                found += [f"{path.name}: {name}" for name in names if name.split(".")[0] == "ganzfeld"]
    return found


def test_nothing_of_ours_is_imported_late():
    assert late_imports(ROOT) == []


def test_a_planted_late_import_is_caught(tmp_path: Path):
    (tmp_path / "a.py").write_text("def late():\n    import ganzfeld.b\n    from ganzfeld import c\n")
    assert len(late_imports(tmp_path)) == 2


def patched_constants(root: Path) -> list[str]:
    """Every place of a folder of tests that replaces a constant of a module."""
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in PATCHING:
                texts = [given.value for given in node.args[:2] if isinstance(given, ast.Constant)]
                names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
                found += [f"{path.name}:{node.lineno}: {name}" for name in names if is_constant(name)]
    return found


PATCHING = {"setattr", "delattr"}


def is_constant(name: str) -> bool:
    """Whether a name is that of a constant: all capitals, and at least two of them."""
    return re.fullmatch(r"_*[A-Z][A-Z0-9_]+", name) is not None


def test_no_test_replaces_a_constant():
    """What a test must vary is a parameter, or a field of an object that is passed on."""
    assert patched_constants(Path(__file__).parent) == []


def test_a_planted_replacement_of_a_constant_is_caught(tmp_path: Path):
    (tmp_path / "test_a.py").write_text(
        "monkeypatch.setattr(module, 'MOST', 1)\npatch.setattr('package.module._MOST_S', 1)\n"
        "setattr(module, 'MOST_2', 1)\nmonkeypatch.setattr(module, 'Most', 1)\n"
    )
    assert len(patched_constants(tmp_path)) == 3


MOST_PARAMETERS = 8
MOST_LINES = 400
MOST_FILES = 24

COMMANDS = {"cli/commands", "cli/latent"}
"""The folders of commands, whose parameters are their options."""

MANY_PARAMETERS = {
    *("train.py: train", "train.py: resume", "images.py: open_images"),  # what people call
    *("directions.py: latent_directions", "detection.py: anomalies"),
    *("generator.py: __init__", "discriminator.py: __init__"),  # a parameter for every field of a card
    "outcome.py: __call__",  # the fields of a figure
}


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The names of what a function is given, apart from its own object."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [each.arg for each in (given.vararg, given.kwarg) if each is not None]
    return [name for name in names if name not in ("self", "cls")]


def functions_with_many_parameters(root: Path) -> set[str]:
    """Every function with more parameters than a reader can hold, commands aside."""
    return {
        f"{path.name}: {node.name}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and len(parameters_of(node)) > MOST_PARAMETERS
        and path.parent.relative_to(root).as_posix() not in COMMANDS
    }


def test_functions_have_few_parameters():
    assert functions_with_many_parameters(ROOT) <= MANY_PARAMETERS


def test_what_may_have_many_parameters_has_them():
    assert functions_with_many_parameters(ROOT) >= MANY_PARAMETERS


def test_files_are_short():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    assert {str(path): num for path, num in lines.items() if num > MOST_LINES} == {}


def crowded_folders(root: Path) -> dict[str, int]:
    """Every folder with too many files, except those of a catalogue, whose entries are one file each."""
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    entries = {path for path in folders if _is_catalogue(path)}
    num = {path: len(list(path.glob("*.py"))) for path in folders if path not in entries}
    return {str(path): count for path, count in num.items() if count > MOST_FILES}


def _is_catalogue(folder: Path) -> bool:
    init = folder / "__init__.py"
    return init.exists() and "Catalogue(" in init.read_text(encoding="utf-8")


def test_folders_are_not_crowded():
    assert crowded_folders(ROOT) == {}


def test_a_planted_crowd_is_caught(tmp_path: Path):
    for number in range(MOST_FILES + 1):
        (tmp_path / f"file_{number}.py").write_text(f"def f({', '.join(f'p{n}' for n in range(9))}): ...\n")
    assert crowded_folders(tmp_path) == {str(tmp_path): MOST_FILES + 1}
    assert len(functions_with_many_parameters(tmp_path)) == MOST_FILES + 1
