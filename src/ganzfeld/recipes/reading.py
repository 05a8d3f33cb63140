"""Read recipes from names, files and ``path=value`` settings; report every mistake in one clear sentence."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ganzfeld.catalogue import Catalogue, did_you_mean
from ganzfeld.data.kinds import IMAGE
from ganzfeld.errors import UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.options import PreparationOptions, TrainOptions, dashed, defaults
from ganzfeld.printable import printable
from ganzfeld.recipes.scaling import FITTED, fitted_settings
from ganzfeld.recipes.schema import Recipe
from ganzfeld.regular import read_regular
from ganzfeld.strict_json import strict_json

recipes = Catalogue("ganzfeld.recipes", "recipe", suffix=".json")


def recipes_of(kind: str) -> list[str]:
    """Return the names of the built-in recipes for a kind of data."""
    return [name for name in recipes.names() if _built_in(name).get("kind", IMAGE) == kind]


OPTIONS = frozenset(
    {*defaults(PreparationOptions), *defaults(TrainOptions)} - {"settings", *Recipe.model_fields}
)
"""The options of a run that are not recipe fields; an error for such a field names the option."""

TEXTS = ("description", "notes")
"""The fields that change nothing."""

LARGEST_FILE = 1_000_000
"""Bytes; a recipe takes about two thousand."""


@check_arguments
def resolve(
    recipe: str | Path | Recipe = "modern", settings: Mapping[str, Any] | Sequence[str] = ()
) -> Recipe:
    """Return a recipe, given by name, by file or as it is, with settings applied to it.

    ``settings`` maps dotted paths to values (``{"generator.width": 32}``) or lists ``"path=value"`` texts,
    whose values are read as JSON if possible and as plain text otherwise. Raises ``UsageError`` for an
    unknown name, field or path and for a value out of range.
    """
    fields = recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else _fields(recipe)
    for path, value in parsed(settings).items():
        _set_field(fields, path, value)
    return _validate(fields)


def parsed(settings: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    """Parse settings to a mapping from dotted path to value; the last value for a path counts."""
    return dict(settings if isinstance(settings, Mapping) else map(_split, settings))


def read_recipe(recipe: str | Path) -> Recipe:
    """Read a built-in recipe by its name, or the recipe in a JSON file.

    A file with ``"base": NAME`` lists only the fields that differ from that built-in recipe.
    """
    return resolve(recipe)


def _fields(recipe: str | Path) -> dict[str, Any]:
    if not isinstance(recipe, str | Path):
        raise UsageError(f"a recipe must be a name, a file or a Recipe, not a {type(recipe).__name__}")
    path = Path(recipe)
    is_name = not path.is_file() and (str(recipe) in recipes.names() or not path.exists())
    if path.suffix != ".json" and is_name:
        return _built_in(str(recipe))
    fields = _read_json(path)
    if "base" not in fields:
        return fields
    base = fields.pop("base")
    if not isinstance(base, str):
        hint = f"Known: {', '.join(recipes.names())}."
        raise UsageError(f"base of {printable(str(path))} must be the name of a recipe, not {base!r}", hint)
    return _merge(_built_in(base), fields)


def _built_in(name: str) -> dict[str, Any]:
    fields = json.loads(recipes.file(name).read_text(encoding="utf-8"))
    return _merge(_built_in(fields.pop("base")), fields) if "base" in fields else fields


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


def _set_field(fields: dict[str, Any], path: str, value: Any) -> None:
    if path not in paths():
        raise _unknown_path(path, value)
    *sections, last = path.split(".")
    for section in sections:
        fields = fields.setdefault(section, {})
        if not isinstance(fields, dict):
            raise UsageError(f"{section} of the recipe must be an object with fields, not {fields!r}")
    fields[last] = value


def _unknown_path(path: str, value: Any) -> UsageError:
    """Return the error for a path that is not a field; it names the option, the group or similar fields."""
    if path.replace("-", "_") in OPTIONS:
        name = path.replace("-", "_")
        hint = f"It is an option: --{dashed(name)}; in Python {name}=."
        return UsageError(f"{path!r} is not a field of a recipe", hint)
    groups = [group for group in _groups() if group == path]
    groups = groups or [group for group in _groups() if _abbreviates(path.split("."), group.split("."))]
    if groups:
        return UsageError(f"{path!r} is a group of recipe fields, not a field", _fields_to_set(groups, value))
    longer = [other for other in paths() if _abbreviates(path.split("."), other.split("."))]
    hint = f"Did you mean {' or '.join(longer)}?" if longer else did_you_mean(path, paths())
    return UsageError(f"unknown recipe field {path!r}", hint)


def _fields_to_set(groups: list[str], value: Any) -> str:
    """Return a hint that names the fields of these groups that accept the value, or else all of them."""
    fields = [(group, field) for group in groups for field in paths(_groups()[group])]
    fitting = [f"{group}.{field}" for group, field in fields if _accepts(_groups()[group], field, value)]
    if fitting:
        return f"Did you mean {' or '.join(fitting)}?"
    return f"Its fields: {', '.join(f'{group}.{field}' for group, field in fields)}."


def _accepts(section: type[BaseModel], path: str, value: Any) -> bool:
    """Check whether the field at that path of a section accepts the value, or is a key in a mapping."""
    first, _, rest = path.partition(".")
    field = section.model_fields[first]
    if isinstance(value, Mapping):
        return first in value and (not rest or _accepts(_sections(section)[first], rest, value[first]))
    if rest:
        return _accepts(_sections(section)[first], rest, value)
    try:
        # As JSON, so that a list is accepted for a tuple; strictly, so that true is not accepted as a number.
        annotated: Any = Annotated[field.annotation, field]
        TypeAdapter(annotated).validate_json(json.dumps(value, allow_nan=False), strict=True)
    except (ValueError, TypeError):
        return False
    return True


def _groups(model: type[BaseModel] = Recipe, prefix: str = "") -> dict[str, type[BaseModel]]:
    """Return the groups of recipe fields by their dotted paths, outer groups first."""
    groups = {}
    for name, section in _sections(model).items():
        groups |= {f"{prefix}{name}": section} | _groups(section, f"{prefix}{name}.")
    return groups


def _sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the fields of a model that are themselves groups of fields."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


def _abbreviates(words: list[str], path: list[str]) -> bool:
    """Check whether ``words`` are some of the path's parts, in their order and including the last."""
    remaining = iter(path)
    return words[-1] == path[-1] and all(word in remaining for word in words)


def changes(recipe: Recipe, since: Recipe | None = None) -> list[str]:
    """Return the settings, as ``path=value``, in which a recipe differs from another one, texts aside.

    By default the other recipe is the built-in recipe with the same name; without one the list is empty.
    """
    if since is None:
        if recipe.name not in recipes.names():
            return []
        since = read_recipe(recipe.name)
    own_fields, other_fields = recipe.model_dump(mode="json"), since.model_dump(mode="json")
    settings = []
    for path in paths():
        if path in TEXTS:
            continue
        value = _value_at(own_fields, path)
        if value != _value_at(other_fields, path):
            settings.append(f"{path}={value if isinstance(value, str) else json.dumps(value)}")
    return settings


def undoing(recipe: Recipe) -> list[str]:
    """Return the settings, as ``path=value``, that turn a recipe into the built-in recipe of its name.

    What was fitted to a budget stays. The list is empty if there is no such built-in recipe.
    """
    if recipe.name not in recipes.names():
        return []
    built_in = read_recipe(recipe.name)
    if any(note.startswith(FITTED) for note in recipe.notes):
        built_in = resolve(built_in, fitted_settings(recipe.batch, 1) | {"ema": recipe.ema})
    return changes(built_in, since=recipe)


def left_out_stabilisers(recipe: Recipe) -> list[str]:
    """Return the names of stabilisers of the built-in recipe of the same name that a recipe lacks."""
    if recipe.name not in recipes.names():
        return []
    own_names = [settings["name"] for settings in recipe.stabilisers]
    builtin_names = [settings["name"] for settings in read_recipe(recipe.name).stabilisers]
    return [name for name in builtin_names if name not in own_names]


def _value_at(fields: dict[str, Any], path: str) -> Any:
    value: Any = fields
    for part in path.split("."):
        value = value[part]
    return value


def paths(model: type[BaseModel] = Recipe, prefix: str = "") -> list[str]:
    """Return the dotted paths of all fields of a recipe, in the order of the schema."""
    all_paths, sections = [], _sections(model)
    for name in model.model_fields:
        all_paths += paths(sections[name], f"{prefix}{name}.") if name in sections else [prefix + name]
    return all_paths


def _validate(fields: dict[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise explained(
            error,
            "recipe",
            paths(),
            'A recipe must have all fields; add "base": "modern" to give only the fields that differ.',
        ) from None


def explained(error: ValidationError, whole: str, known: Sequence[str], hint_if_missing: str) -> UsageError:
    """Return the first mistake in the fields of ``whole`` as an error in plain words.

    ``known`` are the names of all fields; ``hint_if_missing`` is the hint for a missing field.
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
        return UsageError(f"the {whole} lacks the field {where!r}", hint_if_missing)
    return UsageError(f"{where or f'the {whole}'} cannot be {mistake['input']!r}: {mistake['msg'].lower()}")
