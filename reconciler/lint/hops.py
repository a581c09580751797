"""From a role to the next: which roles it may assume. By indexes, since there may be thousands of both."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reconciler.lint.statements import matches
from reconciler.model import AccountFacts, Address, CallerPolicy, ManagedPolicy, PrincipalKind, Role, State
from reconciler.policy.arn import account_of, covers, root_arn
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
        self._sorted = {name: sorted(doors) for name, doors in self._trusting.items()}

    def open_to(self, arn: str, documents: Iterable[PolicyDocument]) -> Iterator[Address]:
        """Yield the roles that a role may assume: they let it in, and its documents do not forbid it for certain."""
        said = [one for document in documents for one in _said(document.written)]
        allows = [one for one in said if one.allows]
        denies = [one for one in said if not one.allows]
        if not allows:
            return
        account = account_of(arn)
        found: dict[str, None] = {}
        for name in (arn, root_arn(arn.split(":", 2)[1], account), account):
            for door in self._among(name, allows):
                let_in = any(not each or any(covers(one, arn) for one in each) for each in self._trusting[name][door])
                if let_in and not any(one.is_of(door) for one in denies):
                    found[door] = None
        for door in found:
            yield self._address[door]

    def _among(self, name: str, allows: Iterable[_Said]) -> Iterator[str]:
        """Yield the roles that let in a principal by a name, and that a statement allows to assume."""
        doors = self._sorted.get(name, [])
        for one in allows:
            for beginning in one.beginnings():
                for index in range(bisect_left(doors, beginning), len(doors)):
                    if not doors[index].startswith(beginning):
                        break
                    if one.is_of(doors[index]):
                        yield doors[index]


@dataclass(frozen=True, slots=True)
class _Said:
    """A statement on sts:AssumeRole: an Allow, or a Deny without conditions, on these resources, or all but these."""

    allows: bool
    resources: tuple[str, ...]
    negated: bool

    def beginnings(self) -> frozenset[str]:
        """Return how the ARNs begin that it is of, as far as its resources say."""
        return frozenset([""] if self.negated else (re.split("[*?]", one)[0] for one in self.resources))

    def is_of(self, arn: str) -> bool:
        return self.negated is not any(covers(one, arn) for one in self.resources)


@lru_cache(maxsize=4096)
def _said(written: str) -> tuple[_Said, ...]:
    found: list[_Said] = []
    for statement in PolicyDocument(written, written).statements():
        allows = statement.get("Effect") == "Allow"
        if _is_of_roles(statement) and (allows or "Condition" not in statement):
            negated = "NotResource" in statement
            resources = statement.get("NotResource" if negated else "Resource", ())
            found.append(_Said(allows, tuple(resources), negated))
    return tuple(found)


def _is_of_roles(statement: Mapping[str, Any]) -> bool:
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
