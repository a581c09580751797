"""What a policy document is made of: which values may stand where, and how deep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.errors import PolicyError

MAX_DEPTH = 20
"""How deep a document is read. AWS's grammar ends at six: the values of a condition, in their list."""

_LISTS = ("Action", "NotAction", "Resource", "NotResource")
_PRINCIPALS = ("Principal", "NotPrincipal")


def check_shape(data: object) -> list[Mapping[str, Any]]:
    """Return the statements of a parsed document, whose values are known to be what AWS's grammar lets them be.

    Whether they make sense is not asked: an effect may be any text, an element unknown.

    Raises:
        PolicyError: it is no object with statements, is nested too deeply, or has a value of another type than the
            grammar gives that element; what such a value means to AWS nobody can say, so it equals nothing.

    """
    if not isinstance(data, Mapping) or "Statement" not in data:
        raise PolicyError("not a policy document: it needs an object with Statement")
    _check_depth(data, MAX_DEPTH)
    for element in ("Version", "Id"):
        if not isinstance(data.get(element, ""), str):
            raise _wrong(element, "a string")
    found = data["Statement"]
    statements = [found] if isinstance(found, Mapping) else found
    if not isinstance(statements, list) or not all(isinstance(statement, Mapping) for statement in statements):
        raise PolicyError("not a policy document: Statement has to be an object or a list of objects")
    for statement in statements:
        _check_statement(statement)
    return statements


def _check_depth(value: object, left: int) -> None:
    if isinstance(value, str) or not isinstance(value, (Mapping, list)):  # Most are texts, and those are told at once.
        return
    if left == 0:
        raise PolicyError(f"not a policy document: it is nested more than {MAX_DEPTH} deep")
    for item in value.values() if isinstance(value, Mapping) else value:
        _check_depth(item, left - 1)


def _check_statement(statement: Mapping[str, Any]) -> None:
    for element, value in statement.items():
        if element in ("Sid", "Effect"):
            if not isinstance(value, str):
                raise _wrong(element, "a string")
        elif element in _LISTS:
            _check_values(element, value)
        elif element in _PRINCIPALS and not isinstance(value, str):
            _check_block(element, value)
        elif element == "Condition":
            _check_block(element, value, levels=2)


def _check_block(element: str, block: object, levels: int = 1) -> None:
    if not isinstance(block, Mapping):
        raise _wrong(element, "an object of strings and lists" if levels == 1 else "an object of objects")
    for content in block.values():
        if levels > 1:
            _check_block(element, content, levels - 1)
        else:
            _check_values(element, content)


def _check_values(element: str, values: object) -> None:
    # A boolean is an integer to Python.
    if not all(isinstance(value, (str, int, float)) for value in (values if isinstance(values, list) else [values])):
        raise _wrong(element, "made of strings")


def _wrong(element: str, what: str) -> PolicyError:
    return PolicyError(f"not a policy document: {element} has to be {what}")
