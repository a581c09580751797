"""XG330 to XG334: what the identities that xgrant works with may do too little of, and too much (facts sheet 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.model import (
    Account,
    Ailment,
    Allowed,
    CallerPolicy,
    Kind,
    Manifest,
    Role,
    Severity,
    State,
)
from reconciler.ownership import STACK_TAG, stack_path
from reconciler.permissions import (
    ATTACH,
    CALLER,
    MANAGED_POLICY,
    NEVER,
    PROVIDERS,
    READ,
    REREAD,
    ROLE,
    UNBOUND,
)
from reconciler.policy.arn import iam_arn
from reconciler.wording import few

Pair = tuple[str, str]
"""An action, and the ARN that it is about."""

_SAMPLES = 3
"""Roles of one account that are asked about, at most: each of another path, since policies name roles by paths."""

_CALLERS = 50
"""Principals of one account that are asked about, at most: policies name them one by one, and each is a call."""

_OWN = ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy")
_NOBODY = "xgrant-doctor"
"""The name of a user and a role that no grant names."""


def needed(account: Account, manifest: Manifest, wanted: State, *, applying: bool) -> tuple[Pair, ...]:
    """Return what has to be allowed in an account to plan the grants of the manifests, and to apply them."""
    found: list[Pair] = [(action, "*") for action in READ[""]]
    if any(grant.web_identity and grant.target == account.name for grant in manifest.grants):
        found.append((PROVIDERS, "*"))
    bound = all(role.permissions_boundary for role in _all_roles(account, wanted))
    writes = tuple(action for action in ROLE if not (bound and action == UNBOUND))
    for arn in _roles(account, wanted):
        found += _each((*READ["role"], *((*REREAD["role"], *writes) if applying else ())), arn)
    managed = False
    for kind, arn, packed in _callers(account, manifest, wanted):
        managed = managed or packed
        if applying:
            found += _each(ATTACH[kind] if packed else (*REREAD[kind], *CALLER[kind]), arn)
    if managed or any(one.account == account.name and one.kind is Kind.MANAGED_POLICY for one in wanted):
        policy = iam_arn(account.partition, account.id, "policy", stack_path(manifest.stack), "any")
        found += _each((*REREAD["policy"], *MANAGED_POLICY) if applying else (), policy)
    return tuple(dict.fromkeys(found))


def excessive(account: Account, who: str, wanted: State, *, applying: bool) -> tuple[Pair, ...]:
    """Return what is asked beyond that: what xgrant never does, writes on itself and others; of a plan any write."""
    nobody = iam_arn(account.partition, account.id, "role", "/", _NOBODY)
    user = iam_arn(account.partition, account.id, "user", "/", _NOBODY)
    found = [*_each(NEVER, user), *_each(_OWN, nobody)]
    if ":role/" in who:
        found += _each(_OWN, who)
    for arn in () if applying else _roles(account, wanted):
        found += _each(ROLE, arn)
    return tuple(dict.fromkeys(found))


def lacking(account: Account, allowed: Allowed, pairs: Iterable[Pair]) -> Iterator[Ailment]:
    """Yield what is needed and not allowed."""
    missing: dict[str, list[str]] = {}
    for action, resource in pairs:
        if not allowed.decisions.get((action, resource), False):
            missing.setdefault(action, []).append(resource)
    if not missing:
        return
    on = sorted({resource for resources in missing.values() for resource in resources})
    yield Ailment(
        "XG330", Severity.ERROR, account.name,
        f"{allowed.who} may not do {', '.join(missing)} (asked of {few(on)})",
        "plan or apply fails where it is needed, half-way at worst",
        "allow it (docs/accounts.md, `The permissions that xgrant needs`), or an SCP or a boundary denies it; of the "
        "roles of `xgrant bootstrap` let the `path` of grants be theirs, make xgrant-member anew, and deploy it again",
    )  # fmt: skip


def beyond(account: Account, allowed: Allowed, wanted: State, *, applying: bool) -> Iterator[Ailment]:
    """Yield what is allowed and not needed."""
    may = {pair for pair, decision in allowed.decisions.items() if decision}
    if never := [action for action in NEVER if any(one == action for one, _ in may)]:
        yield Ailment(
            "XG331", Severity.WARNING, account.name, f"{allowed.who} may do {', '.join(never)}",
            "xgrant never does that; whoever gets at its credentials makes a way in that stays",
            "take it away, and iam:* with it; docs/accounts.md lists what is needed",
        )  # fmt: skip
    roles = {*_roles(account, wanted)}
    if not applying and (writes := sorted({one for one, on in may if one in ROLE and on in roles})):
        yield Ailment(
            "XG332", Severity.WARNING, account.name, f"{allowed.who}, which only plans, may do {few(writes)}",
            "a plan writes nothing, and runs where changes are only proposed",
            "let `plan` be a role that has the part `Read` and `Look` of the permissions, and no more",
        )  # fmt: skip
        return
    # A role that is a caller is named by its grant.
    asked = {allowed.who, iam_arn(account.partition, account.id, "role", "/", _NOBODY)} - roles
    outside = sorted({on for one, on in may if one in _OWN and on in asked})
    if outside:
        which = "itself and any other role" if allowed.who in outside else "roles that no grant names"
        yield Ailment(
            "XG333", Severity.NOTE, account.name, f"{allowed.who} may write {which}",
            "whoever may do that is an administrator of the account",
            "narrow `Resource` to the paths and principals that your manifests name, or guard it as an administrator",
        )  # fmt: skip


def unknown(account: Account, why: str) -> Ailment:
    """Return that nobody can say what the identity in an account may do."""
    return Ailment(
        "XG334", Severity.NOTE, account.name, f"what xgrant may do in the account cannot be seen: {why}",
        "what it lacks shows only when it fails",
        "allow iam:SimulatePrincipalPolicy to the identity that it uses there",
    )  # fmt: skip


def _each(actions: Iterable[str], resource: str) -> list[Pair]:
    return [(action, resource) for action in actions]


def context(account: Account, manifest: Manifest, wanted: State) -> dict[str, str]:
    """Return what a request on the stack's own has in its context, for conditions on it (facts sheet 7).

    The boundary is there if it is one for all roles of the account; what is attached is a policy of the stack.
    """
    boundaries = {role.permissions_boundary for role in _all_roles(account, wanted)}
    found = {f"aws:{of}Tag/{STACK_TAG}": manifest.stack for of in ("Request", "Resource")}
    found[f"iam:ResourceTag/{STACK_TAG}"] = manifest.stack
    found["iam:PolicyARN"] = iam_arn(account.partition, account.id, "policy", stack_path(manifest.stack), "any")
    (boundary, *others) = boundaries or {None}
    return found | ({"iam:PermissionsBoundary": boundary} if boundary and not others else {})


def _all_roles(account: Account, wanted: State) -> tuple[Role, ...]:
    return tuple(role for at, role in wanted.items() if at.account == account.name and isinstance(role, Role))


def _roles(account: Account, wanted: State) -> tuple[str, ...]:
    """Return the ARNs of some roles of grants, each of another path."""
    by_path: dict[str, str] = {}
    for address, role in sorted(wanted.items(), key=lambda item: str(item[0])):
        if address.account == account.name and isinstance(role, Role):
            by_path.setdefault(role.path, role.arn)
    return tuple(by_path.values())[:_SAMPLES]


def _callers(account: Account, manifest: Manifest, wanted: State) -> tuple[tuple[str, str, bool], ...]:
    """Return the principals that get caller policies, of many some: kind, ARN, and whether by managed policies."""
    arns = {
        (principal.kind, principal.name): iam_arn(
            account.partition, account.id, principal.kind, principal.path, principal.name
        )
        for grant in manifest.grants
        for principal in grant.principals
        if principal.account == account.name
    }
    found: dict[tuple[str, str, bool], None] = {}
    for address, policy in sorted(wanted.items(), key=lambda item: str(item[0])):
        if address.account != account.name or not isinstance(policy, CallerPolicy) or address.holder is None:
            continue
        found.setdefault((address.holder[0], arns[address.holder], policy.managed))
    return tuple(found)[:_CALLERS]
