"""What AWS would take and what could then never work, or what AWS lets nobody change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.manifest.source import PathTo
from reconciler.model import Grant, PrincipalKind
from reconciler.policy.case import fold
from reconciler.policy.conditions import Conditions, overlaps
from reconciler.policy.permission_sets import KEY, OPERATOR, permission_set_meant

CHAINED_SESSION = 3600
"""The longest session, in seconds, that a role's session can get of another role (facts sheet 1.4)."""

_MFA_KEYS = ("aws:multifactorauthpresent", "aws:multifactorauthage")
_ORGANIZATION_KEYS = ("aws:principalorgid", "aws:principalorgpaths")
_PRINCIPAL_KEYS = ("aws:principalarn", "aws:principaltag")
"""What a request has only where a principal signs it (user guide, "AWS global condition context keys")."""

_REQUIRED = {
    ("Bool", "aws:MultiFactorAuthPresent"): "mfa",
    ("StringEquals", "sts:ExternalId"): "external_id",
    ("StringEquals", "aws:PrincipalOrgID"): "source_org",
}
"""What `require` makes of its keys."""


_CHAINED = (PrincipalKind.ROLE, PrincipalKind.PERMISSION_SET)
"""Those who call with the session of a role."""


def never_met(grant: Grant) -> Iterator[tuple[PathTo, str]]:
    """Yield what no caller of the grant, or not every one, can ever meet: where it stands, and what is wrong.

    A role's session carries no MFA, nor does that of Identity Center (facts sheet 6), and gets at most an hour of
    another role (1.4).
    """
    if grant.web_identity is not None:
        yield from _never_met_by_token(grant)
    roles = [principal for principal in grant.principals if principal.kind in _CHAINED]
    if not roles:
        return
    if (path := _demands(grant, _MFA_KEYS)) is not None:
        yield (
            path,
            (
                f"the {roles[0].kind} {roles[0].name} can never meet this: a role's session carries no MFA; "
                "give its roles and permission sets a grant of their own without MFA (`require: {mfa: false}` where "
                "defaults ask for it)"
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


def _never_met_by_token(grant: Grant) -> Iterator[tuple[PathTo, str]]:
    """Yield what nobody meets who comes with a token.

    AssumeRoleWithWebIdentity takes no external id, and is signed by nobody: it has no MFA, and is of no organization
    (STS API Reference).
    """
    for keys, what, way_out in (
        (_MFA_KEYS, "carries no MFA", "write `require: {mfa: false}` where defaults ask for it"),
        (("sts:externalid",), "sends no sts:ExternalId", "leave it out: the subject says who it is"),
        (_ORGANIZATION_KEYS, "has no aws:PrincipalOrgID", "leave it out: the subject says who it is"),
        (_PRINCIPAL_KEYS, "is no principal of AWS yet", "leave it out: the subject says who it is"),
    ):
        if (path := _demands(grant, keys)) is not None:
            yield path, f"callers by oidc can never meet this: who comes with a token {what}; {way_out}"


def stated_twice(grant: Grant) -> Iterator[tuple[PathTo, str]]:
    """Yield conditions of the grant that stand where its callers are named: IAM would take either value."""
    own: Conditions = {}
    if grant.web_identity is not None:
        own = grant.web_identity.conditions()
    elif any(principal.kind is PrincipalKind.PERMISSION_SET for principal in grant.principals):
        own = {OPERATOR: {KEY: ()}}
    for operator, key in overlaps(own, grant.conditions):
        yield (
            ("trust_conditions", operator, key),
            f"`from` demands {operator} {key} already, and IAM would take either; give this a grant of its own",
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
            meant = permission_set_meant(principal.name)
            yield (
                ("from", "roles", index),
                (
                    f"{reason}: nothing can be attached to it"
                    + (f"; write permission_sets: [{meant}] in `from`" if meant else "")
                ),
            )


def _protected(path: str, name: str) -> str | None:
    if path.startswith("/aws-service-role/"):
        return f"{name} is a service-linked role"
    if path.startswith("/aws-reserved/") or name.startswith("AWSReservedSSO_"):
        return f"{name} is a role of IAM Identity Center"
    return None


def _demands(grant: Grant, absent: tuple[str, ...]) -> PathTo | None:
    """Return where a condition stands that needs one of these keys; None if no condition does."""
    for operator, keys in grant.conditions.items():
        for key, values in keys.items():
            folded = fold(operator)
            if fold(key).split("/", 1)[0] not in absent or _met_without(folded):
                continue
            # The key is absent: `Null` demands that only with true, and no session has it to be false either.
            if folded == "null" and values == ("true",):
                continue
            # `require` takes several external ids, and of all else one.
            single = len(values) == 1 or values == grant.external_ids
            by_require = single and values != ("false",) and (operator, key) in _REQUIRED
            return ("require", _REQUIRED[operator, key]) if by_require else ("trust_conditions", operator, key)
    return None


def _met_without(operator: str) -> bool:
    """Return whether a folded operator is met where the request lacks the key.

    User guide, "Condition operators": with IfExists, where it is negated, and under ForAllValues.
    """
    return operator.endswith("ifexists") or operator.startswith("forallvalues:") or "not" in operator
