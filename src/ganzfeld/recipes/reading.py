"""From names, files and ``path=value`` settings to a recipe; every mistake becomes one clear sentence."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ganzfeld.catalogue import Catalogue, did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.options import PreparationOptions, TrainOptions, dashed, defaults
from ganzfeld.printable import printable
from ganzfeld.recipes.schema import Recipe
from ganzfeld.regular import read_regular
from ganzfeld.strict_json import strict_json

recipes = Catalogue("ganzfeld.recipes", "recipe", suffix=".json")

OPTIONS = frozenset(
    {*defaults(PreparationOptions), *defaults(TrainOptions)} - {"settings", *Recipe.model_fields}
)
"""What a training is told beside its recipe; whoever takes one for a field of it is told the option."""

LARGEST_FILE = 1_000_000
"""Bytes; a recipe has about two thousand."""


@check_arguments
def resolve(
    recipe: str | Path | Recipe = "modern", settings: Mapping[str, Any] | Sequence[str] = ()
) -> Recipe:
    """A recipe by name, by file or as it is, with settings laid over it.

    ``settings`` maps dotted paths to values (``{"generator.width": 32}``) or lists ``"path=value"`` texts,
    whose values are read as JSON where possible and as plain text otherwise. Raises ``UsageError`` for an
    unknown name, field or path and for a value out of range.
    """
    fields = recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else _fields(recipe)
    for path, value in parsed(settings).items():
        _lay(fields, path, value)
    return _validate(fields)


def parsed(settings: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    """Settings as a mapping from dotted path to value; of two for one path the last counts."""
    return dict(settings if isinstance(settings, Mapping) else map(_split, settings))


def read_recipe(recipe: str | Path) -> Recipe:
    """A built-in recipe by its name, or the recipe in a JSON file.

    A file that holds ``"base": NAME`` lists only what differs from that built-in recipe.
    """
    return resolve(recipe)


def _fields(recipe: str | Path) -> dict[str, Any]:
    if not isinstance(recipe, str | Path):
        raise UsageError(f"a recipe is a name, a file or a Recipe, not a {type(recipe).__name__}")
    path = Path(recipe)
    is_name = not path.is_file() and (str(recipe) in recipes.names() or not path.exists())
    if path.suffix != ".json" and is_name:
        return json.loads(recipes.file(str(recipe)).read_text(encoding="utf-8"))
    fields = _read_json(path)
    if "base" not in fields:
        return fields
    base = fields.pop("base")
    if not isinstance(base, str):
        hint = f"Known: {', '.join(recipes.names())}."
        raise UsageError(f"base of {printable(str(path))} must be the name of a recipe, not {base!r}", hint)
    return _merge(json.loads(recipes.file(base).read_text(encoding="utf-8")), fields)


def _read_json(path: Path) -> dict[str, Any]:
    shown = printable(str(path))
    try:
        fields = strict_json(read_regular(path, LARGEST_FILE))
    except OSError as error:
        raise UsageError(f"recipe file {shown} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"recipe file {shown} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise UsageError(f"recipe file {shown} must hold one JSON object, not a {type(fields).__name__}")
    return fields


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(name), dict)
        merged[name] = _merge(below[name], value) if both else value
    return merged


def _split(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is not a setting", "Write path=value, e.g. generator.width=32.")
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return path.strip(), value.strip()
    try:
        return path.strip(), strict_json(value)
    except ValueError as error:
        raise UsageError(f"{path.strip()} cannot be {printable(value, 60)}: {error}") from None


def _lay(fields: dict[str, Any], path: str, value: Any) -> None:
    if path not in paths():
        raise _unknown(path, value)
    *sections, last = path.split(".")
    for section in sections:
        fields = fields.setdefault(section, {})
        if not isinstance(fields, dict):
            raise UsageError(f"{section} of the recipe must be an object with fields, not {fields!r}")
    fields[last] = value


def _unknown(path: str, value: Any) -> UsageError:
    """The error for a path that is no field: it names the group that it is, or the fields that are near."""
    if path.replace("-", "_") in OPTIONS:
        name = path.replace("-", "_")
        hint = f"It is an option of its own: --{dashed(name)}; in Python {name}=."
        return UsageError(f"{path!r} is no field of a recipe", hint)
    groups = [group for group in _groups() if group == path]
    groups = groups or [group for group in _groups() if _leaves_out(path.split("."), group.split("."))]
    if groups:
        return UsageError(f"{path!r} is a group of recipe fields, not a field", _fields_to_set(groups, value))
    longer = [other for other in paths() if _leaves_out(path.split("."), other.split("."))]
    hint = f"Did you mean {' or '.join(longer)}?" if longer else did_you_mean(path, paths())
    return UsageError(f"unknown recipe field {path!r}", hint)


def _fields_to_set(groups: list[str], value: Any) -> str:
    """A hint that names the fields of these groups which take the value; all of them if none does."""
    fields = [(group, field) for group in groups for field in paths(_groups()[group])]
    fitting = [f"{group}.{field}" for group, field in fields if _takes(_groups()[group], field, value)]
    if fitting:
        return f"Did you mean {' or '.join(fitting)}?"
    return f"Its fields: {', '.join(f'{group}.{field}' for group, field in fields)}."


def _takes(section: type[BaseModel], path: str, value: Any) -> bool:
    """Whether the field at that path of a section could have the value, or is named in a mapping."""
    first, _, rest = path.partition(".")
    field = section.model_fields[first]
    if isinstance(value, Mapping):
        return first in value and (not rest or _takes(_sections(section)[first], rest, value[first]))
    if rest:
        return _takes(_sections(section)[first], rest, value)
    try:
        # As JSON, so that a list passes for a tuple; strictly, so that true is no number.
        annotated: Any = Annotated[field.annotation, field]
        TypeAdapter(annotated).validate_json(json.dumps(value, allow_nan=False), strict=True)
    except (ValueError, TypeError):
        return False
    return True


def _groups(model: type[BaseModel] = Recipe, prefix: str = "") -> dict[str, type[BaseModel]]:
    """The groups of fields of a recipe by their dotted paths, outer ones first."""
    found = {}
    for name, section in _sections(model).items():
        found |= {f"{prefix}{name}": section} | _groups(section, f"{prefix}{name}.")
    return found


def _sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The fields of a model that are groups of fields themselves."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


def _leaves_out(words: list[str], whole: list[str]) -> bool:
    """Whether these are words of the whole path in their order, its last one among them."""
    left = iter(whole)
    return words[-1] == whole[-1] and all(word in left for word in words)


def changes(recipe: Recipe, since: Recipe | None = None) -> list[str]:
    """What a recipe sets otherwise than another, as ``path=value``; than the built-in one of its name."""
    if since is None:
        if recipe.name not in recipes.names():
            return []
        since = read_recipe(recipe.name)
    ours, theirs = recipe.model_dump(mode="json"), since.model_dump(mode="json")
    found = []
    for path in paths():
        value, usual = _at(ours, path), _at(theirs, path)
        if value != usual:
            found.append(f"{path}={value if isinstance(value, str) else json.dumps(value)}")
    return found


def undoing(recipe: Recipe) -> list[str]:
    """What would make a recipe the built-in one of its name, as ``path=value``; nothing if there is none."""
    return changes(read_recipe(recipe.name), since=recipe) if recipe.name in recipes.names() else []


def left_out_stabilisers(recipe: Recipe) -> list[str]:
    """Names of the stabilisers that the built-in recipe of its name has, and it has not."""
    if recipe.name not in recipes.names():
        return []
    ours = [each["name"] for each in recipe.stabilisers]
    return [each["name"] for each in read_recipe(recipe.name).stabilisers if each["name"] not in ours]


def _at(fields: dict[str, Any], path: str) -> Any:
    value: Any = fields
    for part in path.split("."):
        value = value[part]
    return value


def paths(model: type[BaseModel] = Recipe, prefix: str = "") -> list[str]:
    """The dotted paths of all fields of a recipe, sections first."""
    found, sections = [], _sections(model)
    for name in model.model_fields:
        inside = paths(sections[name], f"{prefix}{name}.") if name in sections else [prefix + name]
        found += inside
    return found


def _validate(fields: dict[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise explained(
            error,
            "recipe",
            paths(),
            'A recipe is complete; add "base": "modern" to list only what differs from a built-in one.',
        ) from None


def explained(error: ValidationError, whole: str, known: Sequence[str], lacking: str) -> UsageError:
    """The first mistake in the fields of ``whole``, of which these are ``known``, in our words.

    ``lacking`` is the hint where one is missing.
    """
    mistake = error.errors()[0]
    where = ".".join(str(part) for part in mistake["loc"])
    cause = mistake.get("ctx", {}).get("error")
    if mistake["type"] == "model_type" and whole == "recipe" and where in _groups():
        message = f"{where!r} is a group of recipe fields and cannot be {mistake['input']!r}"
        return UsageError(message, _fields_to_set([where], mistake["input"]))
    if isinstance(cause, UsageError):
        message = cause.message if not where or where in cause.message else f"{where}: {cause.message}"
        return UsageError(message, cause.hint)
    if mistake["type"] == "extra_forbidden":
        return UsageError(f"unknown {whole} field {where!r}", did_you_mean(where, known))
    if mistake["type"] == "missing":
        return UsageError(f"the {whole} lacks the field {where!r}", lacking)
    return UsageError(f"{where or f'the {whole}'} cannot be {mistake['input']!r}: {mistake['msg'].lower()}")
