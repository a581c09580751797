"""A policy too large for one managed policy, as several that mean the same together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.policy.document import PolicyDocument, listed
from reconciler.policy.sizes import size

_LISTS = ("Resource", "Action")


def split(document: PolicyDocument, limit: int) -> tuple[PolicyDocument, ...]:
    """Return documents of at most `limit` characters that allow and deny together what the document does.

    Statements are kept whole where they fit. One that does not is divided by its resources or its actions: a
    statement over the union of two lists says what two statements over each say. One without such a list, as
    `NotAction` with one resource, cannot be divided and is returned as it is, larger than the limit.
    """
    head = {key: value for key, value in document.data().items() if key != "Statement"}
    parts: list[list[dict[str, Any]]] = []
    for statement in document.statements():
        for piece in _pieces(head, statement, limit):
            if parts and size(_document(head, [*parts[-1], piece])) <= limit:
                parts[-1].append(piece)
            else:
                parts.append([piece])
    return tuple(_document(head, part) for part in parts)


def _pieces(head: dict[str, Any], statement: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    if size(_document(head, [statement])) <= limit:
        yield statement
        return
    element = max(_LISTS, key=lambda name: len(listed(statement.get(name, ""))))
    values = listed(statement.get(element, ""))
    if len(values) < 2:
        yield statement
        return
    middle = len(values) // 2
    # A Sid is unique inside one policy; the halves may meet in one.
    rest = {key: value for key, value in statement.items() if key != "Sid"}
    for half in (values[:middle], values[middle:]):
        yield from _pieces(head, {**rest, element: half}, limit)


def _document(head: dict[str, Any], statements: list[dict[str, Any]]) -> PolicyDocument:
    return PolicyDocument.parse({**head, "Statement": statements})
