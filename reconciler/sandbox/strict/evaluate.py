"""IAM's policy language, evaluated: what documents say of one action on one resource (facts sheet 6).

Nothing here knows moto; a request is an `Asked`, and a document is plain data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reconciler.policy.case import fold
from reconciler.policy.document import listed
from reconciler.policy.instants import instant_of

Context = Mapping[str, tuple[str, ...]]
"""The values of the condition keys of a request, by the keys in small letters; one that is absent is not there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One action on one resource, `*` where the action takes none, with the context of the request."""

    action: str
    resource: str
    context: Context


def decide(documents: Iterable[Mapping[str, Any]], asked: Asked) -> bool | None:
    """Return False for an explicit denial, True for an Allow without one, None where nothing speaks of it."""
    allowed = None
    for document in documents:
        for statement in listed(document["Statement"]):
            deny = statement["Effect"] == "Deny"
            if concerns(statement, asked) and met(statement.get("Condition", {}), asked.context, unknown=deny):
                if deny:
                    return False
                allowed = True
    return allowed


def concerns(statement: Mapping[str, Any], asked: Asked) -> bool:
    """Return whether a statement is about the action and the resource; one without a resource is about any."""
    if "Action" in statement:
        action = any(like(fold(asked.action), fold(pattern)) for pattern in listed(statement["Action"]))
    else:
        action = not any(like(fold(asked.action), fold(pattern)) for pattern in listed(statement["NotAction"]))
    if "NotResource" in statement:
        return action and not any(like(asked.resource, pattern) for pattern in listed(statement["NotResource"]))
    return action and any(like(asked.resource, pattern) for pattern in listed(statement.get("Resource", "*")))


def met(condition: Mapping[str, Mapping[str, Any]], context: Context, *, unknown: bool) -> bool:
    """Return whether all operators are met; `unknown` is the answer to an operator that is not known here."""
    for operator, block in condition.items():
        for key, wanted in block.items():
            found = matches(operator, context.get(fold(key)), [str(value) for value in listed(wanted)])
            if not (unknown if found is None else found):
                return False
    return True


def matches(operator: str, values: tuple[str, ...] | None, wanted: Iterable[str]) -> bool | None:
    """Return whether values meet an operator; None for one that is not known here.

    IAM user guide, "Condition operators": an absent key meets what negates, `...IfExists` and `ForAllValues`, and
    nothing else; `Null` asks whether it is absent.
    """
    name = fold(operator)
    patterns = [fold(value) if name == "null" else value for value in wanted]
    quantifier, _, rest = name.rpartition(":")
    plain = rest.removesuffix("ifexists")
    if plain == "null":
        return ("true" if values is None else "false") in patterns
    negated = "not" in plain
    test = _TESTS.get(plain.replace("not", ""))
    if test is None:
        return None
    if values is None:
        return quantifier == "forallvalues" or (quantifier != "foranyvalue" and (negated or rest != plain))
    met_by = [any(test(value, pattern) for pattern in patterns) is not negated for value in values]
    return all(met_by) if quantifier == "forallvalues" else any(met_by)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", text))
    return re.compile("".join(parts), re.DOTALL)


def like(value: str, pattern: str) -> bool:
    """Return whether a value fits a pattern in which `*` is any text and `?` one character."""
    return _pattern(pattern).fullmatch(value) is not None


def like_arn(value: str, pattern: str) -> bool:
    """Compare each of the six parts by itself (user guide, "Condition operators")."""
    parts, patterns = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(patterns) == 6 and all(map(like, parts, patterns))


def _seconds(text: str) -> float:
    """Return the time that a text says, which may be seconds since 1970."""
    return float(text) if re.fullmatch(r"\d{5,}(\.\d+)?", text) else instant_of(text)


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "stringequals": lambda value, pattern: value == pattern,
    "stringequalsignorecase": lambda value, pattern: fold(value) == fold(pattern),
    "bool": lambda value, pattern: fold(value) == fold(pattern),
    "stringlike": like,
    "arnequals": like_arn,
    "arnlike": like_arn,
    "dateequals": lambda value, stated: _seconds(value) == _seconds(stated),
    "datelessthan": lambda value, stated: _seconds(value) < _seconds(stated),
    "datelessthanequals": lambda value, stated: _seconds(value) <= _seconds(stated),
    "dategreaterthan": lambda value, stated: _seconds(value) > _seconds(stated),
    "dategreaterthanequals": lambda value, stated: _seconds(value) >= _seconds(stated),
}
