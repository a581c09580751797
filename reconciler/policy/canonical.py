"""One spelling for everything that AWS does not tell apart in a policy document.

The rules are those of the facts sheet 4.5 and of AWS's user guide ("IAM JSON policy elements"). Where it is not sure
that AWS ignores a difference, it counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reconciler.policy.case import fold
from reconciler.policy.instants import respelt

# The default of a document without Version (user guide, "IAM JSON policy elements: Version").
DEFAULT_VERSION = "2008-10-17"
CURRENT_VERSION = "2012-10-17"

_ROOT_ARN = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root")
_ELEMENTS = (
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
)  # fmt: skip
# Longer ones are no numbers to anybody, and int() refuses some thousand digits.
_LONGEST_NUMBER = 40
_VARIABLE = re.compile(r"(\$\{[^}]*\})")
_WILDCARDS = re.compile(r"[*?]{2,}")
_KEY = re.compile(r"([A-Za-z0-9.-]+:[^/]*)(/.*)?", re.DOTALL)
# Of these the tag's key is matched ignoring case too (user guide, "AWS global condition context keys").
_TAG_KEYS = ("aws:principaltag", "aws:requesttag", "aws:resourcetag")
# ArnEquals and ArnLike behave alike; other operators take a star for a star.
_WITH_WILDCARDS = re.compile(
    r"(?:foranyvalue:|forallvalues:)?(?:string(?:not)?like|arn(?:not)?(?:like|equals))(?:ifexists)?"
)

_WITH_DATES = re.compile("(?:foranyvalue:|forallvalues:)?date")


def canonical_document(data: Mapping[str, Any], statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a document means; `statements` are those of `data`, as a list.

    The two versions that there are differ only in policy variables, which the old one takes literally: without one
    in the document they mean the same. An element that AWS does not know counts: who wrote it meant something.
    """
    found = {dumps(means): means for means in map(canonical_statement, statements)}
    version = data.get("Version") or DEFAULT_VERSION
    if version == DEFAULT_VERSION and not any("${" in text for text in found):
        version = CURRENT_VERSION
    means = {element: value for element, value in data.items() if element != "Id" or value}
    return {**means, "Version": version, "Statement": [found[text] for text in sorted(found)]}


def canonical_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a statement means, with every value a sorted list of strings."""
    means = tidy_statement(statement)
    for element, value in means.items():
        if element in ("Action", "NotAction", "Resource", "NotResource"):
            means[element] = sorted_set(canonical_value(element, text) for text in value)
        elif element in ("Principal", "NotPrincipal") and isinstance(value, dict):
            means[element] = {
                kind: sorted_set(canonical_value(element, name) for name in names) for kind, names in value.items()
            }
        elif element == "Condition":
            means[element] = _canonical_conditions(value)
    return means


def canonical_value(element: str, value: str) -> str:
    """Return a value of Action, Resource, Principal or their opposites in the one spelling.

    IAM ignores the case of actions, takes a run of stars for one, and writes an account id as its root's ARN; an id
    lies in one partition only, so the id says it all.
    """
    if element in ("Action", "NotAction"):
        return _wildcards(fold(value))
    if element in ("Resource", "NotResource"):
        return _wildcards(value)
    match = _ROOT_ARN.fullmatch(value)
    return match.group(1) if match else value


def canonical_key(key: str) -> str:
    """Return a condition key in the one spelling: IAM ignores its case, and that of a tag's key in AWS's own.

    What follows a slash in the keys of a service, and an OpenID provider that has a path, are left as they are.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        return key
    name, rest = fold(match.group(1)), match.group(2) or ""
    return name + (fold(rest) if name in _TAG_KEYS else rest)


def canonical_condition(operator: str, value: str) -> str:
    """Return a value under a condition operator in the one spelling.

    A run of stars is one where stars match; where dates are compared, 02:00+01:00 is 01:00Z.
    """
    folded = fold(operator)
    if _WITH_DATES.match(folded):
        return respelt(value)
    return _wildcards(value) if _WITH_WILDCARDS.fullmatch(folded) else value


def _canonical_conditions(block: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for operator, keys in _folded(block, fold).items():
        found[operator] = {
            key: sorted_set(canonical_condition(operator, value) for value in values)
            for key, values in _folded(keys, canonical_key).items()
        }
    return found


def _folded(mapping: Mapping[str, Any], respell: Callable[[str], str]) -> dict[str, Any]:
    """Return the mapping with folded keys; those that would fall together stay as they are, to lose neither."""
    times: dict[str, int] = {}
    for key in mapping:
        times[respell(key)] = times.get(respell(key), 0) + 1
    return {respell(key) if times[respell(key)] == 1 else key: value for key, value in mapping.items()}


def _wildcards(value: str) -> str:
    """Spell each run of wildcards one way: as many characters as it has `?`, then one star if it has any.

    What stands in a variable stands for itself. One with a default value may have a brace in its quotes: there the
    end of the variable is not sure, and the value is left as it is.
    """
    if "*" not in value or ("${" in value and "'" in value):
        return value
    parts = _VARIABLE.split(value)
    parts[::2] = (_WILDCARDS.sub(_run, part) for part in parts[::2])
    return "".join(parts)


def _run(match: re.Match[str]) -> str:
    run = match.group()
    return "?" * run.count("?") + "*" * ("*" in run)


def tidy_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement as written, but with elements in AWS's usual order and every value a sorted list.

    Its values are of the types that `shape.check_shape` lets pass.
    """
    tidy: dict[str, Any] = {}
    known = [element for element in _ELEMENTS if element in statement]
    for element in known + sorted(set(statement) - set(known)):
        value = statement[element]
        if element in ("Action", "NotAction", "Resource", "NotResource"):
            tidy[element] = _strings(value)
        elif element in ("Principal", "NotPrincipal") and isinstance(value, Mapping):
            tidy[element] = {kind: _strings(names) for kind, names in value.items()}
        elif element == "Condition":
            if value:
                tidy[element] = {
                    operator: {key: _strings(values) for key, values in keys.items()}
                    for operator, keys in value.items()
                }
        elif element != "Sid" or value:  # The console writes an empty Sid where there is none.
            tidy[element] = value
    return tidy


def one_or_list(values: list[str]) -> str | list[str]:
    """Return one value by itself and several as a list, as people write them, and as AWS gives them back."""
    return values[0] if len(values) == 1 else values


def listed(value: Any) -> list[Any]:
    """Return a list as it is and anything else as a list of one: AWS does not tell the two apart."""
    return value if isinstance(value, list) else [value]


def sorted_set(values: Iterable[str]) -> list[str]:
    """Return the values sorted, each once."""
    return sorted(set(values))


def dumps(value: Any, *, sort: bool = True) -> str:
    """Return compact JSON in ASCII: IAM's documents are Latin-1, other text has to be escaped (facts sheet 1.1)."""
    return (_SORTED if sort else _AS_IT_IS).encode(value)


_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_AS_IT_IS = json.JSONEncoder(separators=(",", ":"))


def _strings(values: Any) -> list[str]:
    return sorted_set(_scalar(value) for value in listed(values))


def _scalar(value: str | float) -> str:
    # IAM takes a number or a boolean for the string of the same spelling (`number` has kept it).
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else dumps(value)


def number(text: str) -> str | float:
    """Return a number of JSON as a value that is written as it stands: 1.10 and 1e400 only survive as texts."""
    if len(text) > _LONGEST_NUMBER:
        return text
    value = float(text) if set(text) & set(".eE") else int(text)
    return value if json.dumps(value) == text else text
