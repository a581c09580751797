"""What documents decide of a request, as far as that is certain without knowing who asks, from where and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.policy.arn import covers
from reconciler.policy.case import fold
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument

Statement = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{[^}]*\}?")


def decided(documents: Iterable[PolicyDocument], action: str, resource: str) -> bool | None:
    """Return whether documents allow an action on a resource; None where that hangs on conditions or variables.

    An explicit deny wins, and what nothing allows is denied (facts sheet 6). Either may be a pattern: then it is
    decided for all that it covers.
    """
    documents = tuple(documents)
    allow, deny = (says(documents, effect, action, resource) for effect in ("Allow", "Deny"))
    if allow is False or deny is True:
        return False
    return True if allow and deny is False else None


def says(documents: Iterable[PolicyDocument], effect: str, action: str, resource: str) -> bool | None:
    """Return whether a statement with an effect, `Allow` or `Deny`, covers a request.

    None where only on conditions, or where that hangs on what a variable stands for.
    """
    found = {
        _covers(one, action, resource)
        for document in documents
        for one in document.statements()
        if one.get("Effect") == effect
    }
    return True if True in found else None if None in found else False


def conditional(documents: Iterable[PolicyDocument], action: str, resource: str) -> Iterator[Statement]:
    """Yield the statements on conditions that may cover a request, whatever their effect."""
    statements = (one for document in documents for one in document.statements() if "Condition" in one)
    yield from (one for one in statements if _covers(one, action, resource) is not False)


def concerns(document: PolicyDocument, action: str) -> bool:
    """Return whether a statement is about an action, of whatever effect, on whatever resource."""
    return any(_has_action(one, action) for one in document.statements())


def principals(document: PolicyDocument, effect: str) -> frozenset[str]:
    """Return the `AWS` principals of the statements of a trust policy with an effect, `*` for whoever it is."""
    found = (one.get("Principal", {}) for one in document.statements() if one.get("Effect") == effect)
    return frozenset(name for one in found for name in named(one))


def named(principal: Any) -> tuple[str, ...]:
    """Return the `AWS` principals that an element of a trust policy names; `"*"` means the same as `{"AWS": "*"}`."""
    return ("*",) if principal == "*" else tuple(principal.get("AWS", ())) if isinstance(principal, Mapping) else ()


def concerned(document: PolicyDocument, effect: str, action: str) -> Iterator[Statement]:
    """Yield the statements with an effect that are about an action, on whatever resource."""
    yield from (one for one in document.statements() if one.get("Effect") == effect and _has_action(one, action))


def allows_everything(document: PolicyDocument, action: str) -> bool:
    """Return whether a document allows everything, or all but what it names, on every resource, unconditionally.

    An action is not to be among what it names. What holds it back elsewhere is not looked at.
    """
    return any(
        "*" in one.get("Action", ()) or ("NotAction" in one and _has_action(one, action))
        for one in _on_everything(document)
    )


def allows_service(document: PolicyDocument, service: str) -> bool:
    """Return whether a document allows all of a service on every resource, unconditionally."""
    return any(
        covers(fold(pattern), f"{service}:*") for one in _on_everything(document) for pattern in one.get("Action", ())
    )


def _on_everything(document: PolicyDocument) -> Iterator[Statement]:
    """Yield the statements that allow something on every resource without conditions."""
    for one in document.statements():
        if one.get("Effect") == "Allow" and "Condition" not in one and "*" in one.get("Resource", ()):
            yield one


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


def _covers(statement: Statement, action: str, resource: str) -> bool | None:
    """Return whether a statement covers a request; None where that hangs on conditions or variables."""
    if not _has_action(statement, action) or (on := covers_resource(statement, resource)) is False:
        return False
    return None if "Condition" in statement else on


def _has_action(statement: Statement, action: str) -> bool:
    negated = "NotAction" in statement
    patterns = statement.get("NotAction" if negated else "Action", ())
    return negated != any(covers(fold(pattern), fold(action)) for pattern in patterns)


def covers_resource(statement: Statement, resource: str) -> bool | None:
    """Return whether a statement is about a resource; None where that hangs on what a variable stands for."""
    negated = "NotResource" in statement
    patterns = statement.get("NotResource" if negated else "Resource", ())
    if any(covers(pattern, resource) for pattern in patterns):
        return not negated
    # What a variable stands for hangs on who asks, like the name of a user in ${aws:username}.
    maybe = any("${" in pattern and covers(_VARIABLE.sub("*", pattern), resource) for pattern in patterns)
    return None if maybe else negated
