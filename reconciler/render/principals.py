"""Whom a policy lets in, in words: by the trust policy of a role, and by caller policies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from reconciler.model import Address, CallerPolicy, ManagedPolicy, Resource
from reconciler.policy.document import PolicyDocument
from reconciler.policy.permission_sets import KEY, OPERATOR, named_by
from reconciler.render.statements import Rows, statement_rows

_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}):(?:(root)|(user|role)/(?:.*/)?([^/]+))")
_ROLE = re.compile(r"arn:[a-z-]+:iam::(\d{12}):role/(?:.*/)?([^/]+)")
_KNOWN = ("AWS", "Federated")
_SUBJECT = re.compile(r"Condition \S+ \S+:sub")

Door = tuple[str, str]
"""A role that somebody may assume: the account's id, and the name."""


def trusted(document: PolicyDocument, names: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return whom a trust policy names, in words, and the accounts that it leaves the choice to.

    `names` are those of the accounts by their ids.
    """
    callers: list[str] = []
    accounts: list[str] = []
    for statement in statement_rows(document):
        if statement.get("Effect") != ["Allow"]:
            continue
        callers += _federated(statement)
        sets = named_by(statement.get(f"Condition {OPERATOR} {KEY}", []))
        callers += [f"{names.get(account, account)} permission set {name}" for account, name in sorted(sets or ())]
        for principal in statement.get("Principal AWS", []):
            found = _ARN.fullmatch(principal)
            if re.fullmatch(r"\d{12}", principal):
                accounts.append(names.get(principal, principal))
            elif found is None:
                callers.append("anybody" if principal == "*" else principal)
            elif found[2]:
                accounts += [] if sets else [names.get(found[1], found[1])]
            else:
                callers.append(f"{names.get(found[1], found[1])} {found[3]} {found[4]}")
        others = (label for label in statement if label.startswith("Principal ") and label.split(" ")[1] not in _KNOWN)
        callers += [f"{label.split(' ')[1]} {value}" for label in others for value in statement[label]]
        callers += ["anybody"] if "Principal" in statement or "NotPrincipal" in statement else []
    return [*dict.fromkeys(callers)], [*dict.fromkeys(accounts)]


def _federated(statement: Rows) -> Iterator[str]:
    for provider in statement.get("Principal Federated", []):
        of = provider.partition("-provider/")[2] or provider
        subjects = [value for label, values in statement.items() if _SUBJECT.fullmatch(label) for value in values]
        yield from (f"{subject} by a token of {of}" for subject in subjects or ["anybody"])


def doors(address: Address, policy: Resource | None) -> Iterator[tuple[str, Door]]:
    """Yield who may assume which role by a caller policy at an address, in words; nothing of any other resource."""
    match policy:
        case ManagedPolicy(grant=""):
            holders: Iterable[str] = sorted(policy.attached_to)
        case CallerPolicy() if address.holder is not None:
            holders = ["/".join(address.holder)]
        case _:
            return
    for holder in holders:
        for arn in policy.document.resources():
            if found := _ROLE.fullmatch(arn):
                yield f"{address.account} {holder.replace('/', ' ', 1)}", (found[1], found[2])
