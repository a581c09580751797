"""What AWS would take and what could then never work, or what AWS lets nobody change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.manifest.source import PathTo
from reconciler.model import Grant, PrincipalKind
from reconciler.policy.case import fold

CHAINED_SESSION = 3600
"""The longest session, in seconds, that a role's session can get of another role (facts sheet 1.4)."""

_MFA_KEYS = ("aws:multifactorauthpresent", "aws:multifactorauthage")


def never_met(grant: Grant) -> Iterator[tuple[PathTo, str]]:
    """Yield what no caller of the grant, or not every one, can ever meet: where it stands, and what is wrong.

    A role's session carries no MFA (facts sheet 6), and gets at most an hour of another role (1.4).
    """
    roles = [principal.name for principal in grant.principals if principal.kind is PrincipalKind.ROLE]
    if not roles:
        return
    if (path := _demands_mfa(grant)) is not None:
        yield (
            path,
            (
                f"the role {roles[0]} can never meet this: a role's session carries no MFA; "
                "give its roles a grant of their own without MFA (`require: {mfa: false}` where defaults ask for it)"
            ),
        )
    if len(roles) == len(grant.principals) and grant.max_session_duration > CHAINED_SESSION:
        yield (
            ("session", "max_duration"),
            (
                "only roles may use this grant, and a role's session gets at most 1h of another role; "
                "write max_duration: 1h"
            ),
        )


def protected(grant: Grant) -> Iterator[tuple[PathTo, str]]:
    """Yield which roles of the grant only AWS itself can change (UnmodifiableEntity, facts sheet 3.4)."""
    if reason := _protected(grant.role_path, grant.role_name):
        yield ("to",), f"{reason}: only AWS can make or change it; name another role"
    # The same places name roles in every source account; what is wrong with one of a place is said once.
    said = set[int]()
    of_account = Counter[str]()
    for principal in grant.principals:
        if principal.kind is not PrincipalKind.ROLE:
            continue
        index = of_account[principal.account]
        of_account[principal.account] += 1
        if index not in said and (reason := _protected(principal.path, principal.name)):
            said.add(index)
            yield (
                ("from", "roles", index),
                (
                    f"{reason}: nothing can be attached to it; trust the account with entire_account and a "
                    "trust condition on aws:PrincipalArn, and let its permission set allow sts:AssumeRole"
                ),
            )


def _protected(path: str, name: str) -> str | None:
    if path.startswith("/aws-service-role/"):
        return f"{name} is a service-linked role"
    if path.startswith("/aws-reserved/") or name.startswith("AWSReservedSSO_"):
        return f"{name} is a role of IAM Identity Center"
    return None


def _demands_mfa(grant: Grant) -> PathTo | None:
    for operator, keys in grant.conditions.items():
        for key, values in keys.items():
            folded = fold(operator)
            if fold(key) not in _MFA_KEYS or folded.endswith("ifexists"):
                continue
            # The key is absent: `Null` demands that only with true, and no session has it to be false either.
            if folded == "null" and values == ("true",):
                continue
            by_require = (operator, key, values) == ("Bool", "aws:MultiFactorAuthPresent", ("true",))
            return ("require", "mfa") if by_require else ("trust_conditions", operator, key)
    return None
