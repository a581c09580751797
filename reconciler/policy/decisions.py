"""What documents decide of a request, as far as that is certain without knowing who asks, from where and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.policy.arn import covers
from reconciler.policy.case import fold
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument

Statement = Mapping[str, Any]


def decided(documents: Iterable[PolicyDocument], action: str, resource: str) -> bool | None:
    """Return whether documents allow an action on a resource; None where that hangs on conditions.

    An explicit deny wins, and what nothing allows is denied (facts sheet 6). Either may be a pattern: then it is
    decided for all that it covers.
    """
    documents = tuple(documents)
    allow, deny = (says(documents, effect, action, resource) for effect in ("Allow", "Deny"))
    if allow is False or deny is True:
        return False
    return True if allow and deny is False else None


def says(documents: Iterable[PolicyDocument], effect: str, action: str, resource: str) -> bool | None:
    """Return whether a statement with an effect, `Allow` or `Deny`, covers a request; None where only on conditions."""
    found = [
        one
        for document in documents
        for one in document.statements()
        if one.get("Effect") == effect and _concerns(one, action, resource)
    ]
    return (True if any("Condition" not in one for one in found) else None) if found else False


def concerns(document: PolicyDocument, action: str) -> bool:
    """Return whether a statement is about an action, of whatever effect, on whatever resource."""
    return any(_has(one, "Action", fold(action), folded=True) for one in document.statements())


def allows_broadly(document: PolicyDocument, service: str) -> bool:
    """Return whether a document allows all of a service, or all but what it names, on every resource, unconditionally.

    What holds it back elsewhere is not looked at.
    """
    return any(
        one.get("Effect") == "Allow"
        and "Condition" not in one
        and ("NotAction" in one or any(covers(fold(pattern), f"{service}:*") for pattern in one.get("Action", ())))
        and "*" in one.get("Resource", ())
        for one in document.statements()
    )


def beyond(documents: Iterable[PolicyDocument], others: Iterable[PolicyDocument]) -> Iterator[str]:
    """Yield in words what documents allow and others do not, or not for certain; what stands in both is equal.

    Denials are left out of account: `meanings` compares them.
    """
    others = tuple(others)
    known = {_meaning(one) for document in others for one in document.statements()}
    for statement in (one for document in documents for one in document.statements()):
        if _meaning(statement) in known or statement.get("Effect") != "Allow":
            continue
        if "NotAction" in statement or "NotResource" in statement:
            yield "all but what a statement names"
            continue
        pairs = ((action, on) for action in statement.get("Action", ()) for on in statement.get("Resource", ()))
        yield from (f"{action} on {on}" for action, on in pairs if says(others, "Allow", action, on) is not True)


def meanings(documents: Iterable[PolicyDocument], effect: str) -> frozenset[str]:
    """Return the statements with an effect, `Allow` or `Deny`, each in its one spelling."""
    statements = (one for document in documents for one in document.statements())
    return frozenset(_meaning(one) for one in statements if one.get("Effect") == effect)


def _meaning(statement: Statement) -> str:
    bare = {key: value for key, value in statement.items() if key != "Sid"}
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": [bare]}).canonical


def _concerns(statement: Statement, action: str, resource: str) -> bool:
    return _has(statement, "Action", fold(action), folded=True) and _has(statement, "Resource", resource)


def _has(statement: Statement, element: str, value: str, *, folded: bool = False) -> bool:
    negated = f"Not{element}" in statement
    patterns = statement.get(f"Not{element}" if negated else element, ())
    return negated != any(covers(fold(pattern) if folded else pattern, value) for pattern in patterns)
