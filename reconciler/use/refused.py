"""Why AWS refuses a session, and which of the two sides it is, as far as that can be known from the caller's side.

Across accounts AWS says no more than that it is denied, and the caller may read neither policy. What is known is the
manifest, who asks, and what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reconciler.model import SESSION_VARIABLES, Account, Identity, Principal, PrincipalKind, SessionRequest
from reconciler.policy.permission_sets import permission_set_meant
from reconciler.use.choice import Use
from reconciler.use.conditions import Judged, judged
from reconciler.use.request import in_words

_CALLERS, _ROLES = "the caller's side refuses", "the role's side refuses"


@dataclass(frozen=True, slots=True)
class _Policy:
    """A kind of policy that AWS names: on which side it is, whose it is, and who can change it."""

    side: str
    whose: str
    owner: str


# User guide, "Troubleshoot access denied error messages": AWS adds the kind of policy where it may.
_IDENTITY, _RESOURCE = "identity-based policy", "resource-based policy"
_KINDS: Mapping[str, _Policy] = {
    _IDENTITY: _Policy(_CALLERS, "an identity-based policy of yours", "whoever administers your account"),
    "permissions boundary": _Policy(_CALLERS, "your permissions boundary", "whoever administers your account"),
    "session policy": _Policy(_CALLERS, "the session policy of your credentials", "whoever made that session"),
    "service control policy": _Policy(
        _CALLERS, "a service control policy (SCP) on your account", "the administrator of its organization"
    ),
    "VPC endpoint policy": _Policy(
        _CALLERS, "the policy of the VPC endpoint on the way to AWS", "the owner of that endpoint"
    ),
    _RESOURCE: _Policy(_ROLES, "its trust policy", "the owner of the role's account"),
    "trust policy": _Policy(_ROLES, "its trust policy", "the owner of the role's account"),
    "resource control policy": _Policy(
        _ROLES, "a resource control policy (RCP) on its account", "the administrator of its organization"
    ),
}
_EXPLICIT = re.compile(r"explicit deny in (?:an?|the) (?:role )?([A-Za-z -]+)")
_IMPLICIT = re.compile(r"because no (?:role )?([A-Za-z -]+?) allows")


def explained(
    use: Use, accounts: Mapping[str, Account], who: Identity, request: SessionRequest, code: str, message: str,
    groups: Collection[str] | None,
) -> str:  # fmt: skip
    """Say in lines which side refuses and why, and what to do; empty where the error itself says it.

    `groups` are those of the IAM user who asks, None where that cannot be seen.
    """
    if code == "ValidationError" and "MaxSessionDuration" in message:
        return (
            f"wrong duration: the role's side gives less than {in_words(request.duration)}\nWhat to do: ask for less "
            f"with --duration, or apply the manifest, which says {in_words(use.grant.max_session_duration)}"
        )
    if code == "ValidationError" and "role chaining" in message:
        return (
            f"session already chained: these credentials are a session of the role {who.role()}, which gets at most 1h "
            f"of another role\nWhat to do: --duration 1h; or {_others(who)}"
        )
    if not code.startswith("AccessDenied"):
        return ""
    if "MultiFactorAuthentication" in message:
        return "the MFA device or its code is refused: check the device, wait for its next code, and give that"
    if who.root():
        return "the caller's side refuses: nobody assumes a role as the root of an account; use a user or a role"
    return _denied(use, accounts, who, request, message, groups)


def _denied(
    use: Use, accounts: Mapping[str, Account], who: Identity, request: SessionRequest, message: str,
    groups: Collection[str] | None,
) -> str:  # fmt: skip
    if denied := _kind(_EXPLICIT, message):
        return f"{denied.side}: {denied.whose} denies it, whatever allows it\nWhat to do: ask {denied.owner}"
    if stranger := _stranger(use, accounts, who, groups):
        return stranger
    caller = _no_caller_policy(use, accounts, who, groups)
    missing = _kind(_IMPLICIT, message)
    if missing == _KINDS[_IDENTITY]:
        return f"{_CALLERS}: {caller}\n{_applied(use)}"
    found = judged(use.grant.conditions, request, who)
    # The role's side is judged by AWS only where no other policy stands in the way.
    if found.unmet and (missing is None or missing.side == _ROLES):
        return f"{_ROLES}: trust condition not met: {'; '.join(found.unmet)}{_way(found)}"
    unknown = f"; from here nobody can see whether you meet {'; '.join(found.unknown)}" if found.unknown else ""
    if missing == _KINDS[_RESOURCE]:
        return f"{_ROLES}: its trust policy does not allow you{unknown}\n{_applied(use)}"
    if missing is not None:
        return f"{missing.side}: {missing.whose} does not allow it\nWhat to do: ask {missing.owner}"
    return (
        f"either the caller's side refuses: {caller}\n"
        f"or the role's side: the role is not there, or does not trust you{unknown}\n"
        f"or a policy of the organization (SCP, RCP)\n{_applied(use)}"
    )


def _kind(pattern: re.Pattern[str], message: str) -> _Policy | None:
    """Return the kind of policy that AWS names in a sentence of this pattern; None where it names none."""
    found = pattern.search(message)
    return None if found is None else _KINDS.get(found.group(1).strip())


def _way(found: Judged) -> str:
    return f"\nWhat to do: give what the condition wants with {' and '.join(found.ways)}" if found.ways else ""


def _others(who: Identity) -> str:
    """Say how to come by other credentials than those that are in use."""
    if who.from_variables:
        return f"unset {' '.join(SESSION_VARIABLES)}, or name other credentials with --as PROFILE"
    return "name other credentials with --as PROFILE"


def _applied(use: Use) -> str:
    plan = f"`xgrant plan --only {use.grant.name}`"
    return f"What to do: {plan} shows whether both sides are applied; what is new takes some seconds"


def _stranger(use: Use, accounts: Mapping[str, Account], who: Identity, groups: Collection[str] | None) -> str:
    """Say why the grant is not for who asks; empty where it is, or may be."""
    mine = [one for one in use.grant.principals if accounts[one.account].id == who.account]
    if any(is_principal(one, who, groups) is not False for one in mine):
        return ""
    names = _callers(use, accounts)
    if who.role():
        return (
            f"the caller's side refuses: session already chained: these credentials are one of the role {who.role()} "
            f"of account {who.account}, and the grant lets in {names}\nWhat to do: {_others(who)}"
        )
    if not mine:
        return (
            f"the caller's side refuses: you are {who.arn}, and the grant lets in {names}\nWhat to do: {_others(who)}"
        )
    return (
        f"the caller's side refuses: no caller policy: you are {who.arn}, and the grant lets in {names}\nWhat to do: "
        "name other credentials with --as PROFILE, or have yourself added to the grant or the group"
    )


def is_principal(principal: Principal, who: Identity, groups: Collection[str] | None) -> bool | None:
    """Return whether a principal of the caller's account is who asks; None where that cannot be seen."""
    match principal.kind:
        case PrincipalKind.USER:
            return principal.name == who.user()
        case PrincipalKind.ROLE:
            return principal.name == who.role()
        case PrincipalKind.PERMISSION_SET:
            return principal.name == permission_set_meant(who.role())
        case PrincipalKind.GROUP:
            return False if not who.user() else None if groups is None else principal.name in groups
        case PrincipalKind.ACCOUNT:
            return True


def may_use(use: Use, accounts: Mapping[str, Account], who: Identity, groups: Collection[str] | None) -> bool | None:
    """Return whether a grant names who asks; None where it names a group, and nobody can see who is in it."""
    mine = [one for one in use.grant.principals if accounts[one.account].id == who.account]
    answers = [is_principal(one, who, groups) for one in mine]
    return True if True in answers else None if None in answers else False


def _no_caller_policy(use: Use, accounts: Mapping[str, Account], who: Identity, groups: Collection[str] | None) -> str:
    held = may_use(use, accounts, who, groups)
    if held is None:
        return f"no caller policy reaches you unless you are of {_callers(use, accounts)}"
    if not use.grant.makes_caller_policies or any(p.kind is PrincipalKind.ACCOUNT for p in use.grant.principals):
        return "no policy of yours allows sts:AssumeRole on the role; this grant makes none, your account has to"
    return "no caller policy is there"


def _callers(use: Use, accounts: Mapping[str, Account]) -> str:
    """Return in words whom a grant lets in."""
    named: dict[tuple[str, str], list[str]] = {}
    for one in use.grant.principals:
        named.setdefault((one.kind, one.account), []).append(one.name)
    words = []
    for (kind, account), names in named.items():
        where = f"account {account} ({accounts[account].id})"
        plural = "s" if len(names) > 1 else ""
        words.append(f"all of {where}" if kind == PrincipalKind.ACCOUNT else
                     f"the {kind}{plural} {', '.join(names)} of {where}")  # fmt: skip
    return "; ".join(words)
