"""From a role to the next: which roles it may assume. By indexes, since there may be thousands of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from reconciler.lint.statements import matches
from reconciler.model import AccountFacts, Address, CallerPolicy, ManagedPolicy, PrincipalKind, Role, State
from reconciler.policy.arn import account_of, covers, is_pattern, root_arn
from reconciler.policy.decisions import decided
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.policy.permission_sets import patterns_in

_ASSUME = "sts:AssumeRole"
_EVERYTHING = PolicyDocument.parse(
    {"Version": CURRENT_VERSION, "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
_ADMINISTRATOR = ":iam::aws:policy/AdministratorAccess"


class Allowed:
    """What roles are allowed, as far as it is known: their own policies, those by hand, and what they get as callers.

    Of managed policies the stack's are known, those whose documents were read, and AdministratorAccess.
    """

    def __init__(self, state: State, facts: Mapping[str, AccountFacts]) -> None:
        self._facts = facts
        self._by_arn: dict[str, PolicyDocument] = {}
        self._by_holder: dict[tuple[str, str], list[PolicyDocument]] = {}
        for known in facts.values():
            self._by_arn |= known.documents
        for address, found in state.items():
            if isinstance(found, ManagedPolicy):
                self._by_arn[found.arn] = found.document
                for holder in found.attached_to:
                    self._by_holder.setdefault((address.account, holder.casefold()), []).append(found.document)
            elif isinstance(found, CallerPolicy) and address.holder is not None:
                holder = "/".join(address.holder).casefold()
                self._by_holder.setdefault((address.account, holder), []).append(found.document)

    def of(self, address: Address, role: Role) -> tuple[PolicyDocument, ...]:
        """Return the documents that say what a role is allowed."""
        name = address.name.casefold()
        by_hand = self._facts[address.account].by_hand.get((PrincipalKind.ROLE, name), {})
        managed = (self._managed(arn) for arn in sorted(role.managed_policies))
        held = self._by_holder.get((address.account, f"role/{name}"), ())
        known = (document for document in managed if document is not None)
        return (*role.inline_policies.values(), *by_hand.values(), *held, *known)

    def _managed(self, arn: str) -> PolicyDocument | None:
        return _EVERYTHING if arn.endswith(_ADMINISTRATOR) else self._by_arn.get(arn)


class Doors:
    """Roles by whom their trust policies let in: by ARN, by the root of an account, or by an account's id."""

    def __init__(self, roles: Mapping[Address, Role]) -> None:
        self._address = {role.arn: address for address, role in roles.items()}
        self._trusting: dict[str, dict[str, list[list[str]]]] = {}
        for role in roles.values():
            for name, patterns in _trusted(role.trust_policy.written):
                self._trusting.setdefault(name, {}).setdefault(role.arn, []).append(patterns)

    def open_to(self, arn: str, documents: tuple[PolicyDocument, ...]) -> Iterator[Address]:
        """Yield the roles that a role may assume: they let it in, and its documents do not forbid it for certain."""
        named = _named(documents)
        if named is not None and not named:
            return
        account = account_of(arn)
        doors = [self._trusting.get(name, {}) for name in (arn, root_arn(arn.split(":", 2)[1], account), account)]
        may = dict.fromkeys(door for by_name in doors for door in by_name) if named is None else dict.fromkeys(named)
        for door in may:
            patterns = [each for by_name in doors for each in by_name.get(door, ())]
            let_in = any(not each or any(covers(one, arn) for one in each) for each in patterns)
            if let_in and decided(documents, _ASSUME, door) is not False:
                yield self._address[door]


def _named(documents: Iterable[PolicyDocument]) -> tuple[str, ...] | None:
    """Return all roles that documents may open, where they name each one; None where a pattern or the like does."""
    found: list[str] = []
    for document in documents:
        resources = _opened(document.written)
        if resources is None:
            return None
        found += resources
    return tuple(found)


@lru_cache(maxsize=4096)
def _opened(written: str) -> tuple[str, ...] | None:
    found: list[str] = []
    for statement in PolicyDocument(written, written).statements():
        if statement.get("Effect") != "Allow" or not _is_of(statement):
            continue
        if "Resource" not in statement or any(map(is_pattern, statement["Resource"])):
            return None
        found += statement["Resource"]
    return tuple(found)


def _is_of(statement: Mapping[str, Any]) -> bool:
    if "NotAction" in statement:
        return not any(matches(one, _ASSUME) for one in statement["NotAction"])
    return any(matches(one, _ASSUME) for one in statement.get("Action", ()))


@lru_cache(maxsize=4096)
def _trusted(written: str) -> tuple[tuple[str, list[str]], ...]:
    """Return the principals that a trust policy lets in, each with the patterns that narrow an account, if any do."""
    found: list[tuple[str, list[str]]] = []
    for statement in PolicyDocument(written, written).statements():
        principal = statement.get("Principal")
        if statement.get("Effect") == "Allow" and isinstance(principal, Mapping):
            patterns = patterns_in(statement.get("Condition", {}))
            found += ((name, patterns) for name in principal.get("AWS", ()))
    return tuple(found)
