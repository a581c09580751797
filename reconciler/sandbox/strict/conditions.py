"""Whether a request meets the conditions of a statement, for the operators that the sandbox understands."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from reconciler.policy.case import fold
from reconciler.policy.document import listed


def met(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str | None], *, unknown: bool) -> bool:
    """Return whether the context meets all conditions; its keys are in lower case, and None is one that is absent.

    `unknown` is what counts of a key that is not in the context, and of an operator that is not understood.
    """
    for operator, block in condition.items():
        for key, wanted in block.items():
            if fold(key) not in context:
                if not unknown:
                    return False
            elif not _matches(fold(operator), context[fold(key)], listed(wanted), unknown=unknown):
                return False
    return True


def like(value: str, pattern: str) -> bool:
    """Return whether a pattern with `*` and `?` covers a value."""
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _matches(operator: str, value: str | None, wanted: list[Any], *, unknown: bool) -> bool:
    name = operator.removesuffix("ifexists")
    if name == "null":
        return (value is None) == (str(wanted[0]).lower() == "true")
    if value is None:
        return name != operator
    if name in ("stringequals", "bool"):
        return value in [str(item) for item in wanted]
    if name == "stringlike":
        return any(like(value, str(item)) for item in wanted)
    if name in ("arnlike", "arnequals"):
        return any(_like_arn(value, str(item)) for item in wanted)
    return unknown


def _like_arn(value: str, pattern: str) -> bool:
    """Compare each of the six parts by itself (user guide, "Condition operators")."""
    parts, patterns = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(patterns) == 6 and all(map(like, parts, patterns))
