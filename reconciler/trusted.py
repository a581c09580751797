"""Whom a trust policy that was made by hand lets in, as far as a grant has words for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.model import Account, PrincipalKind, WebIdentity
from reconciler.policy.arn import iam_arn, is_pattern
from reconciler.policy.canonical import canonical_key
from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument
from reconciler.policy.permission_sets import KEY, OPERATOR, named_by, patterns_in
from reconciler.policy.sessions import further_actions
from reconciler.policy.web_identity import ACTION, provider_of

_ARN = re.compile(r"arn:([a-z-]+):(iam|sts)::(\d{12}):(?:(root)|(user|role)(/(?:.*/)?)([^/]+)|.*)")
_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}")

Block = Mapping[str, Mapping[str, list[str]]]
"""The conditions of a statement."""


class NotExpressibleError(Exception):
    """A manifest has no words for this role; the text says for what."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a trust policy names of the one account, and under which conditions."""

    partition: str
    account_id: str
    whole: bool
    named: tuple[tuple[PrincipalKind, str, str], ...]
    permission_sets: tuple[str, ...] = ()
    conditions: Block = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """That a trust policy lets in who has a token of an OpenID Connect provider, and under which further conditions."""

    identity: WebIdentity
    conditions: Block


def account_id_of(principal: str) -> str | None:
    """Return the id of the account that a principal of a trust policy is of; None if it says none."""
    match = _ARN.fullmatch(principal)
    return match.group(3) if match else principal if re.fullmatch(r"\d{12}", principal) else None


def trust_of(document: PolicyDocument, target: Account) -> Trust | Token:
    """Return whom the trust policy of a role of the target account lets in.

    Raises:
        NotExpressibleError: a grant cannot say that.

    """
    statements = document.statements()
    if not statements:
        raise NotExpressibleError("its trust policy cannot be read")
    if len(statements) == 1:
        return _of_statement(statements[0], target)
    found = sorted((_of_sets(each, target) for each in statements[:3]), key=lambda trust: bool(trust.permission_sets))
    if len(found) != 2 or [bool(trust.permission_sets) for trust in found] != [False, True]:
        raise NotExpressibleError(_SEVERAL)
    others, sets = found
    if others.whole:
        others = _of_users(others)
    if (others.account_id, others.conditions) != (sets.account_id, sets.conditions):
        raise NotExpressibleError(_SEVERAL)
    return replace(others, permission_sets=sets.permission_sets)


_SEVERAL = "its trust policy has several statements, and a grant makes one, and one for permission sets"


def _of_users(trust: Trust) -> Trust:
    """Return the trust in a whole account beside permission sets as one in groups, where it is narrowed to users."""
    if patterns_in(trust.conditions) != [iam_arn(trust.partition, trust.account_id, "user", "/", "*")]:
        raise NotExpressibleError("it trusts a whole account beside permission sets, so these narrow nothing")
    return replace(trust, conditions=_without(trust.conditions, OPERATOR, KEY))


def _of_sets(statement: Mapping[str, Any], target: Account) -> Trust:
    try:
        found = _of_statement(statement, target)
    except NotExpressibleError:
        raise NotExpressibleError(_SEVERAL) from None
    if isinstance(found, Token):
        raise NotExpressibleError(_SEVERAL)
    return found


def _of_statement(statement: Mapping[str, Any], target: Account) -> Trust | Token:
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or not isinstance(principal, dict):
        raise NotExpressibleError("its trust policy trusts everybody, or denies; a grant names whom it trusts")
    conditions = statement.get("Condition", {})
    further = {*map(fold, further_actions(conditions))}
    actions = {fold(action) for action in statement.get("Action", [])}
    if set(principal) == {"Federated"} and actions == {fold(ACTION), *further}:
        return _token(principal["Federated"], target, conditions)
    if set(principal) != {"AWS"}:
        raise NotExpressibleError("it is trusted to a service or an identity provider too")
    if actions != {"sts:assumerole", *further}:
        raise NotExpressibleError("its trust policy allows another action than sts:AssumeRole, or more")
    return _callers(principal["AWS"], target, conditions)


def _callers(principals: list[str], target: Account, conditions: Block) -> Trust:
    if "*" in principals:
        raise NotExpressibleError("it trusts everybody")
    if any(_ID.fullmatch(name) for name in principals):
        raise NotExpressibleError("its trust policy names a user or role that was deleted")
    ids = {account_id_of(name) for name in principals}
    if ids == {target.id}:
        raise NotExpressibleError("it trusts no other account")
    if len(ids) != 1 or None in ids:
        raise NotExpressibleError(
            "it trusts principals of several accounts; write a grant for each, or one that names them all"
        )
    partition, whole, named = target.partition, False, []
    for name in principals:
        match = _ARN.fullmatch(name)
        if match is None or match.group(4):
            whole = True
        elif match.group(5):
            named.append((PrincipalKind(match.group(5)), match.group(6), match.group(7)))
        else:
            raise NotExpressibleError("it trusts a session or a federated user, which a grant cannot name")
        partition = match.group(1) if match else partition
    if partition != target.partition:
        raise NotExpressibleError(f"it trusts the partition {partition}, out of which no role can be assumed")
    trust = Trust(partition, str(ids.pop()), whole, tuple(named), conditions=conditions)
    return _narrowed(trust) if whole and not named else trust


def _narrowed(trust: Trust) -> Trust:
    """Return the trust in a whole account as one in permission sets, where conditions narrow it to just these."""
    sets = named_by(patterns_in(trust.conditions))
    if not sets or {account_id for account_id, _ in sets} != {trust.account_id}:
        return trust
    rest = _without(trust.conditions, OPERATOR, KEY)
    return replace(trust, whole=False, permission_sets=tuple(sorted(name for _, name in sets)), conditions=rest)


def _token(federated: list[str], target: Account, conditions: Block) -> Token:
    provider = provider_of(federated[0], target.id) if len(federated) == 1 else None
    if provider is None:
        raise NotExpressibleError("it is trusted to an identity provider that is none of OpenID Connect in its account")
    audiences = _values(conditions, "StringEquals", f"{provider}:aud")
    equal, like = (_values(conditions, operator, f"{provider}:sub") for operator in ("StringEquals", "StringLike"))
    if not audiences or bool(equal) == bool(like):
        raise NotExpressibleError(
            f"it trusts an identity provider without saying, once each, {provider}:aud under StringEquals and "
            f"{provider}:sub under StringEquals or StringLike"
        )
    if like and not any(is_pattern(value) for value in like):
        raise NotExpressibleError(
            f"it has {provider}:sub under StringLike and no wildcard in it; write StringEquals, which means the same"
        )
    operator = "StringEquals" if equal else "StringLike"
    rest = _without(_without(conditions, "StringEquals", f"{provider}:aud"), operator, f"{provider}:sub")
    return Token(WebIdentity(provider, tuple(audiences), tuple(equal or like)), rest)


def _values(conditions: Block, operator: str, key: str) -> list[str]:
    return [
        value for name, values in conditions.get(operator, {}).items() if fold(name) == fold(key) for value in values
    ]


def _without(conditions: Block, operator: str, key: str) -> Block:
    rest = {
        name: {
            other: values
            for other, values in keys.items()
            if fold(name) != fold(operator) or canonical_key(other) != canonical_key(key)
        }
        for name, keys in conditions.items()
    }
    return {name: keys for name, keys in rest.items() if keys}
