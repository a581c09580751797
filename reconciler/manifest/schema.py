"""The JSON Schemas of manifest files and of policies, and their errors as problems with places."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.data import data_path
from reconciler.errors import Problem
from reconciler.manifest.holds import Check, holds
from reconciler.manifest.source import PathTo, Source

if TYPE_CHECKING:
    import jsonschema

CODES = {
    "additionalProperties": "XG010",
    "required": "XG011",
    "type": "XG012",
}
"""By the schema's keyword; every other keyword is XG013."""


_GITHUB = "token.actions.githubusercontent.com"
"""The provider that is named most, and the one whose audience is known."""

_HANGS_ON = {"provider": "audience", "services": "account"}
"""By a key whose value is refused, the key that is not asked for beside it."""

_TYPES = {
    "object": "a mapping of keys to values",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "number": "a number",
    "null": "null",
}


MANIFEST, POLICIES = "schemas/manifest.schema.json", "schemas/policies.schema.json"
"""The schemas, by their files."""


@functools.cache
def _schema(pointer: str, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(data_path(name).read_text(encoding="utf-8"))
    return {"$ref": pointer, "$defs": schema["$defs"]} if pointer else schema


@functools.cache
def _holds(pointer: str, name: str) -> Check:
    return holds(_schema(pointer, name))


@functools.cache
def _validator(pointer: str, name: str) -> jsonschema.Draft202012Validator:
    # It takes a third of the time of a small validation to import, and most manifests have nothing wrong.
    import jsonschema

    return jsonschema.Draft202012Validator(_schema(pointer, name))


def problems_of(source: Source, pointer: str = "", *, schema: str = MANIFEST) -> tuple[tuple[PathTo, Problem], ...]:
    """Return what the schema has against a file, each with the path to where it is wrong.

    `pointer` names a definition of the schema instead of the whole, like `#/$defs/policyDocument`.
    """
    if _holds(pointer, schema)(source.data):
        return ()
    found: list[tuple[PathTo, Problem]] = []
    for error in _validator(pointer, schema).iter_errors(source.data):
        for leaf in _leaves(error):
            found.extend(_problems(source, leaf))
    # A key that is misspelt is not missing too, nor one that depends on a value which is refused itself.
    meant = {(path[:-1], problem.message.rsplit("did you mean ", 1)[-1][:-1]) for path, problem in found if path}
    meant |= {(path[:-1], _HANGS_ON[str(path[-1])]) for path, _ in found if path and str(path[-1]) in _HANGS_ON}
    return tuple(
        (path, problem)
        for path, problem in found
        if not any(where == path and problem.message.startswith(f"the key {key!r} is missing") for where, key in meant)
    )


def _leaves(error: jsonschema.ValidationError) -> Iterator[jsonschema.ValidationError]:
    """Yield the errors below `if` and `allOf`; those of oneOf and not stay whole, since a hint explains them."""
    if error.validator in ("if", "allOf") and error.context:
        for inner in error.context:
            yield from _leaves(inner)
    else:
        yield error


def _problems(source: Source, error: jsonschema.ValidationError) -> Iterator[tuple[PathTo, Problem]]:
    path: PathTo = tuple(error.absolute_path)
    keyword = str(error.validator)
    code = CODES.get(keyword, "XG013")
    schema: Any = error.schema
    instance: Any = error.instance
    stated: Any = error.validator_value
    if keyword == "additionalProperties":
        stated_here = schema.get("properties", {})
        # Some stand there only so that what is said of them is more than that they are unknown.
        known = sorted(key for key, inner in stated_here.items() if inner.get("not") != {})
        for key in sorted(set(instance) - set(stated_here)):
            near = difflib.get_close_matches(key, known, n=1)
            what_to_do = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            yield (*path, key), Problem(code, f"unknown key {key!r}; {what_to_do}", source.key_place((*path, key)))
    elif keyword == "required":
        missing = [key for key in stated if key not in instance]
        # jsonschema yields one error for each missing key, and names it only in its message.
        key = next(key for key in missing if error.message.startswith(repr(key)))
        message = f"the key {key!r} is missing{_within(path)}; add it{_misspelt(key, instance)}"
        yield path, Problem(code, message, source.key_place(path))
    elif "propertyNames" in error.absolute_schema_path:
        key = str(error.instance)
        message = f"{_hint(error)}; this is {_shown(key)}"
        yield (*path, key), Problem(code, message, source.key_place((*path, key)))
    else:
        # What an object lacks or has too much of is said where its key stands.
        find = source.key_place if isinstance(error.instance, dict) else source.place
        yield path, Problem(code, _message(error, path), find(path))


def _misspelt(key: str, instance: Mapping[str, Any]) -> str:
    """Say which provider may be meant that needs no audience."""
    provider = instance.get("provider") if key == "audience" else None
    near = isinstance(provider, str) and difflib.get_close_matches(provider, [_GITHUB], cutoff=0.85)
    return f", or did you mean the provider {_GITHUB}?" if near else ""


def _message(error: jsonschema.ValidationError, path: PathTo) -> str:
    if hint := _hint(error):
        simple = isinstance(error.instance, (str, int, float, bool))
        # An external id is not to be shown, right or wrong.
        hidden = "external_id" in path
        return f"{hint}; this is {_shown(error.instance)}" if simple and not hidden else hint
    wanted: Any = error.validator_value
    if error.validator == "type":
        what = path[-1] if path else "the file"
        if wanted == "boolean" and str(error.instance).lower() in ("yes", "no", "on", "off"):
            return f"{what} has to be true or false; {error.instance} is a text in YAML 1.2"
        names = " or ".join(_TYPES[name] for name in (wanted if isinstance(wanted, list) else [wanted]))
        return f"{what} has to be {names}; this is {_type_name(error.instance)}"
    if error.validator == "enum":
        return f"this has to be one of {', '.join(wanted)}; this is {_shown(error.instance)}"
    return f"{path[-1] if path else 'the file'}: {error.message}"


def _hint(error: jsonschema.ValidationError) -> str:
    hints = error.schema.get("x-hint", {}) if isinstance(error.schema, dict) else {}
    return str(hints.get(str(error.validator), ""))


def _within(path: PathTo) -> str:
    return f" in {'.'.join(str(part) for part in path)}" if path else ""


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + '..."'


def _type_name(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false"}
    if value is None:
        return "nothing (is what belongs to it indented under it?)"
    return names.get(type(value), "a number")
