"""Why AWS refuses a session, and which of the two sides it is, as far as that can be known from the caller's side.

Across accounts AWS says no more than that it is denied, and the caller may read neither policy. What is known is the
manifest, who asks, and what was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.model import Account, Identity, Principal, PrincipalKind, SessionRequest
from reconciler.policy.permission_sets import permission_set_meant
from reconciler.use.choice import Use
from reconciler.use.conditions import judged
from reconciler.use.request import in_words

# User guide, "Troubleshoot access denied error messages": AWS adds the kind of policy where it may.
_CALLERS = ("identity-based policy", "permissions boundary", "session policy", "service control policy")
_ROLES = ("resource-based policy", "resource control policy", "trust policy")
_FORGET = "unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or name others with --as PROFILE"


def explained(
    use: Use, accounts: Mapping[str, Account], who: Identity, request: SessionRequest, code: str, message: str,
    groups: Collection[str] | None,
) -> str:  # fmt: skip
    """Say which side refuses, why, and what to do; empty where the error itself says it.

    `groups` are those of the IAM user who asks, None where that cannot be seen.
    """
    if code == "ValidationError" and "MaxSessionDuration" in message:
        return (
            f"wrong duration: the role's side gives less than {in_words(request.duration)}. What to do: ask for less "
            f"with --duration, or apply the manifest, which says {in_words(use.grant.max_session_duration)}"
        )
    if code == "ValidationError" and "role chaining" in message:
        return (
            f"session already chained: these credentials are a session of the role {who.role()}, which gets at most 1h "
            "of another role. What to do: --duration 1h, or the credentials of an IAM user with --as PROFILE"
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
    if stranger := _stranger(use, accounts, who, groups):
        return stranger
    found = judged(use.grant.conditions, request, who)
    if found.unmet:
        return f"the role's side refuses: trust condition not met: {'; '.join(found.unmet)}"
    because = message.rpartition(" because ")[2]
    unknown = f"; from here nobody can see whether you meet {'; '.join(found.unknown)}" if found.unknown else ""
    if any(kind in because for kind in _ROLES):
        return f"the role's side refuses: its trust policy does not allow you{unknown}; {_applied(use)}"
    caller = _no_caller_policy(use, accounts, who, groups)
    if any(kind in because for kind in _CALLERS):
        return f"the caller's side refuses: {caller}; {_applied(use)}"
    return (
        f"either the caller's side refuses: {caller}; or the role's side: the role is not there, or does not trust "
        f"you{unknown}; {_applied(use)}. A policy of the organization (SCP, RCP) may refuse, too"
    )


def _applied(use: Use) -> str:
    return f"`xgrant plan --only {use.grant.name}` shows whether both sides are applied; what is new takes some seconds"


def _stranger(use: Use, accounts: Mapping[str, Account], who: Identity, groups: Collection[str] | None) -> str:
    """Say why the grant is not for who asks; empty where it is, or may be."""
    mine = [one for one in use.grant.principals if accounts[one.account].id == who.account]
    if any(_is(one, who, groups) is not False for one in mine):
        return ""
    names = _callers(use, accounts)
    if who.role():
        return (
            f"the caller's side refuses: session already chained: these credentials are one of the role {who.role()} "
            f"of account {who.account}, and the grant lets in {names}. What to do: {_FORGET}"
        )
    if not mine:
        return f"the caller's side refuses: you are {who.arn}, and the grant lets in {names}; name others with --as"
    return (
        f"the caller's side refuses: no caller policy: you are {who.arn}, and the grant lets in {names}. What to do: "
        "name other credentials with --as PROFILE, or have yourself added to the grant or the group"
    )


def _is(principal: Principal, who: Identity, groups: Collection[str] | None) -> bool | None:
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
    answers = [_is(one, who, groups) for one in mine]
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
