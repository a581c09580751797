"""What of grants nobody has used for some time, as far as that is certain.

A role is unused where IAM says so, which keeps its last use for 400 days (facts sheet 8.3), and no event says
otherwise. That one principal of a used grant is unused only events can say, so they must have been looked at for all of
the time. What is younger than that is not unused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from reconciler.audit.named import Standing
from reconciler.audit.report import Audit, RoleAudit
from reconciler.audit.who import WhoKind
from reconciler.model import Principal, PrincipalKind

Named = tuple[PrincipalKind, str]
"""A principal as a manifest names it: its kind, and its name with its path."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What could go: these principals of a grant, or all of it where none is named; and why."""

    grant: str
    principals: tuple[Named, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Something of which it is not known whether it is used: a grant, or a principal of one; and why not."""

    grant: str
    principal: str
    why: str


def unused(found: Audit, before: str, covered: Collection[str]) -> tuple[tuple[Removal, ...], tuple[Unjudged, ...]]:
    """Return what was not used since `before`, a time, and what cannot be judged.

    `covered` are the accounts, by the manifest's names, of which all events since then were looked at.
    """
    by_grant: dict[str, list[RoleAudit]] = {}
    for role in found.roles:
        by_grant.setdefault(role.grant.name, []).append(role)
    removals: list[Removal] = []
    unjudged: list[Unjudged] = []
    for name, roles in by_grant.items():
        for one in _of_grant(name, roles, found, before, covered):
            (removals if isinstance(one, Removal) else unjudged).append(one)  # type: ignore[arg-type]
    return tuple(removals), tuple(unjudged)


def _of_grant(
    name: str, roles: list[RoleAudit], found: Audit, before: str, covered: Collection[str]
) -> Iterator[Removal | Unjudged]:
    if any(_used(role, before) for role in roles):
        yield from _of_principals(name, roles, found, before, covered)
        return
    unknown = next(filter(None, (_unknown(role, before) for role in roles)), "")
    if unknown:
        yield Unjudged(name, "", unknown)
    elif roles[0].grant.prevent_destroy:
        yield Unjudged(name, "", "nobody uses it, but prevent_destroy keeps it")
    else:
        last = max((role.use.last_used for role in roles if role.use), default="")
        said = f"last on {last[:10]}" if last else "never within 400 days"
        yield Removal(name, (), f"its role was used {said}")


def _used(role: RoleAudit, before: str) -> bool:
    return role.last_session() >= before or (role.use is not None and role.use.last_used >= before)


def _unknown(role: RoleAudit, before: str) -> str:
    """Say why it is not known whether a role is used; empty where it is known."""
    account = role.target.name
    if not role.target.managed:
        return f"{account} is not managed here, so the last use of its role is not known"
    if not role.read:
        return f"the roles of {account} were not read"
    if role.use is None:
        return f"the role does not exist in {account}"
    if role.use.created >= before:
        return f"the role in {account} was made on {role.use.created[:10]}"
    return ""


def _of_principals(
    name: str, roles: list[RoleAudit], found: Audit, before: str, covered: Collection[str]
) -> Iterator[Removal | Unjudged]:
    instances: dict[Named, list[tuple[RoleAudit, Principal]]] = {}
    for role in roles:
        for principal in role.grant.principals:
            text = f"{principal.path}{principal.name}".removeprefix("/")
            instances.setdefault((principal.kind, text), []).append((role, principal))
    gone: list[Named] = []
    for key, each in instances.items():
        if any(_seen(role, principal, before) for role, principal in each):
            continue
        why = next(filter(None, (_uncertain(one, p, found, before, covered) for one, p in each)), "")
        if why:
            yield Unjudged(name, f"{key[0]} {key[1]}", why)
        else:
            gone.append(key)
    if gone and len(gone) == len(instances):
        yield Unjudged(name, "", "its role is used, but by none of its principals")
    elif gone:
        yield Removal(name, tuple(gone), f"no session since {before[:10]}")


def _seen(role: RoleAudit, principal: Principal, before: str) -> bool:
    return any(
        usage.seen.got.last >= before and principal in usage.named.principals
        for usage in role.usages
        if usage.named.standing is Standing.NAMED
    )


def _uncertain(role: RoleAudit, principal: Principal, found: Audit, before: str, covered: Collection[str]) -> str:
    """Say why nobody knows whether a principal has used a role; empty where nobody has for certain."""
    account, target = principal.account, role.target.name
    if any(
        usage.named.standing is Standing.MAY and principal in usage.named.principals and usage.seen.got.last >= before
        for usage in role.usages
    ):
        return "a session may have been one of its"
    if _by_somebody_gone(role, principal, found, before):
        return "somebody had a session who is none of its now, and may have been then"
    read = found.uses[account].read
    # The copy in the target account has no more than an id, which has to be known.
    if account not in covered and not (target in covered and read):
        return f"not all events of {account} since {before[:10]} were looked at"
    if principal.kind is PrincipalKind.GROUP and not read:
        return f"the users of {account} were not read"
    created = found.uses[account].created.get((principal.kind, principal.name.casefold()), "")
    if created >= before:
        return f"it was made on {created[:10]}"
    if role.use is None or role.use.created >= before:
        return _unknown(role, before)
    return ""


def _by_somebody_gone(role: RoleAudit, principal: Principal, found: Audit, before: str) -> bool:
    """Return whether a session may have been by a group whose member has left, or by a permission set.

    Its role gets another id when its assignment is remade (facts sheet 3.4).
    """
    kinds = {
        PrincipalKind.GROUP: (WhoKind.HIDDEN, WhoKind.USER),
        PrincipalKind.PERMISSION_SET: (WhoKind.HIDDEN,),
    }.get(principal.kind, ())
    return any(
        usage.seen.who.kind in kinds
        and usage.seen.who.account == found.accounts[principal.account].id
        and usage.named.standing is Standing.NOT
        and usage.seen.got.last >= before
        for usage in role.usages
    )
