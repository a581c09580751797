"""The permissions of a grant: the short form, a whole policy document, or one in a file, to a PolicyDocument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import ManifestError, Problem
from reconciler.manifest.schema import problems_of
from reconciler.manifest.source import PathTo, Source, read_source
from reconciler.policy.arn import action_error, date_error, resource_error
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument, listed

ELEMENTS = {
    "sid": "Sid", "effect": "Effect", "actions": "Action", "not_actions": "NotAction",
    "resources": "Resource", "not_resources": "NotResource", "conditions": "Condition",
}  # fmt: skip
"""IAM's own words, by the keys of the short form."""


def compile_permissions(
    stated: list[Mapping[str, Any]], source: Source, at: PathTo, problems: list[Problem]
) -> PolicyDocument:
    """Return the document of the short form that stands at `at`; append what is wrong with it to `problems`."""
    statements = [
        {element: full[key] for key, element in ELEMENTS.items() if key in full}
        for full in ({"effect": "Allow", **statement} for statement in stated)
    ]
    _check([(statement, (*at, index)) for index, statement in enumerate(stated)], source, problems)
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": [_in_text(s) for s in statements]})


File = tuple[Source | None, tuple[str | Problem, ...]]
"""A policy file's source; or None, and what is wrong with the name (a text) or the file (problems)."""

Fill = Callable[[Any, Source], Any]
"""Replaces the variables in the data of a policy file."""


def compile_policy(
    stated: Mapping[str, Any], source: Source, at: PathTo, file: File | None, fill: Fill, problems: list[Problem]
) -> PolicyDocument | None:
    """Return the whole document that stands at `at`, or in the file that is named there.

    What is wrong is appended to `problems`; None where there is no document for it.
    """
    data = stated
    if file is not None:
        loaded, found = file
        place = source.place((*at, "file"))
        problems.extend(Problem("XG032", message, place) for message in found if isinstance(message, str))
        problems.extend(problem for problem in found if isinstance(problem, Problem))
        if loaded is None:
            return None
        source, at, data = loaded, (), fill(loaded.data, loaded)
    inside = isinstance(data["Statement"], list)
    places = [
        (statement, (*at, "Statement", index) if inside else (*at, "Statement"))
        for index, statement in enumerate(listed(data["Statement"]))
    ]
    _check(places, source, problems)
    texts = [_in_text(statement) for statement in listed(data["Statement"])]
    return PolicyDocument.parse({**data, "Statement": texts if inside else texts[0]})


def dates(block: Mapping[str, Mapping[str, Any]], source: Source, at: PathTo) -> list[Problem]:
    """Return what stands in a condition block at `at` where AWS takes only dates."""
    return [
        Problem("XG034", f"{error}; this is {_text(value)!r}", source.place((*at, operator, key, index)))
        for operator, keys in block.items()
        for key, values in keys.items()
        for index, value in enumerate(listed(values))
        if (error := date_error(operator, _text(value)))
    ]


def _in_text(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement whose condition values are strings, which is what they are to IAM."""
    if "Condition" not in statement:
        return dict(statement)
    block = {
        operator: {key: _text(values) for key, values in keys.items()}
        for operator, keys in statement["Condition"].items()
    }
    return {**statement, "Condition": block}


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def policy_file(name: str, folder: Path, root: Path) -> File:
    """Read a policy file, which lies in `root`; `folder` is that of the manifest file that names it."""
    path = folder / name
    try:
        # A manifest of a pull request must not make the tool read other files of the machine.
        inside = not Path(name).is_absolute() and path.resolve().is_relative_to(root.resolve())
        exists = path.exists()
    except (OSError, ValueError):
        return None, (f"{name[:80]!r} cannot be the name of a file; mend it",)
    if not inside:
        return None, (f"{name!r} is outside the folder of the manifests ({root}); keep policy files in it",)
    if path.suffix.lower() != ".json":
        return None, (f"a policy file is JSON and named *.json; this is {name!r}",)
    if not exists:
        return None, (f"there is no file {str(path)!r}; mend the name",)
    try:
        source = read_source(path, str(path))
    except ManifestError as error:
        return None, error.problems
    found = tuple(problem for _, problem in problems_of(source, "#/$defs/policyDocument"))
    return (None if found else source), found


def _check(statements: list[tuple[Mapping[str, Any], PathTo]], source: Source, problems: list[Problem]) -> None:
    """Check actions, resources and Sids of statements in the short or the long form, each with its place."""
    seen: set[str] = set()
    for statement, at in statements:
        for key, value in statement.items():
            element = ELEMENTS.get(key, key)
            if element == "Sid" and value:
                if value in seen:
                    message = f"the Sid {value} stands twice; it is unique inside one policy"
                    problems.append(Problem("XG033", message, source.place((*at, key))))
                seen.add(value)
            if element == "Condition":
                problems += dates(value, source, (*at, key))
            if element not in ("Action", "NotAction", "Resource", "NotResource"):
                continue
            actions = element.endswith("Action")
            for index, text in enumerate(listed(value)):
                if error := action_error(text) if actions else resource_error(text):
                    path = (*at, key, index) if isinstance(value, list) else (*at, key)
                    code = "XG027" if actions else "XG028"
                    problems.append(Problem(code, f"{error}; this is {text!r}", source.place(path)))
