"""Who else of a source account gets in where a role trusts the whole of it, by policies of their own.

A trust policy that names an account lets that account's policies choose (facts sheet 6), as for groups, which no trust
policy can name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.model import Account, AccountFacts, Held, Identity, PrincipalKind
from reconciler.policy.conditions import Conditions
from reconciler.policy.decisions import allows_everything, conditional, decided, says
from reconciler.policy.sessions import ASSUME, further_actions
from reconciler.use.choice import Use
from reconciler.use.refused import may_use
from reconciler.use.sides import session_of


@dataclass(frozen=True, slots=True)
class Other:
    """A user or role whom a grant does not name, and whose own policies let it assume the role.

    `policies` are those that do. `certain` is false where that hangs on conditions, or on a boundary that is not read.
    An `administrator` is allowed everything, or all but some named actions of which this is none, on every resource.
    """

    kind: PrincipalKind
    arn: str
    who: Identity
    policies: tuple[str, ...]
    certain: bool
    administrator: bool

    def label(self) -> str:
        """Return what it is called, like `user bob`."""
        return f"{self.kind} {self.arn.rsplit('/', 1)[-1]}"

    def words(self) -> str:
        """Return it with the policies that let it in."""
        plural = "policy" if len(self.policies) == 1 else "policies"
        return f"{self.label()}, by its {plural} {', '.join(self.policies)}{'' if self.certain else ', on conditions'}"


def others(use: Use, account: Account, facts: AccountFacts, accounts: Mapping[str, Account]) -> tuple[Other, ...]:
    """Return those of an account, in order of kind and name, whose own policies let them assume the role of a grant."""
    found = []
    for key, held in sorted(facts.held.items()):
        kind, arn = key[0], facts.principals[key]
        who = _identity(kind, arn, account)
        if may_use(use, accounts, who, held.groups):
            continue
        let_in = lets_in(held, use)
        if let_in is False:
            continue
        allowing = tuple(
            name.words()
            for name, one in held.documents.items()
            if says([one], "Allow", ASSUME, use.role_arn) is not False
        )
        broad = any(allows_everything(one, ASSUME) for one in held.documents.values())
        found.append(Other(kind, arn, who, allowing, let_in is True, broad))
    return tuple(found)


def lets_in(held: Held, use: Use) -> bool | None:
    """Return whether policies that are read let their holder assume the role of a grant, with all that it demands.

    None where that hangs on conditions, or on a boundary that is not read.
    """
    wanted = (ASSUME, *further_actions(use.grant.conditions))
    decisions = [_decided(held, action, use.role_arn) for action in wanted]
    return False if False in decisions else None if None in decisions else True


def asked_of(held: Held, use: Use) -> Iterator[Conditions]:
    """Yield the conditions in policies and boundary that a session of the role of a grant is allowed or denied on."""
    documents = (*held.documents.values(), *([] if held.boundary is None else [held.boundary]))
    for one in conditional(documents, ASSUME, use.role_arn):
        yield one["Condition"]


def unread(use: Use, account: Account, facts: AccountFacts, accounts: Mapping[str, Account]) -> frozenset[str]:
    """Return the ARNs of managed policies that are not read of those whom a grant does not name."""
    found: frozenset[str] = frozenset()
    for key, held in facts.held.items():
        if held.unread and not may_use(use, accounts, _identity(key[0], facts.principals[key], account), held.groups):
            found |= held.unread
    return found


def _identity(kind: PrincipalKind, arn: str, account: Account) -> Identity:
    if kind is PrincipalKind.USER:
        return Identity(account.id, arn)
    return session_of(arn.rsplit("/", 1)[-1], account)


def _decided(held: Held, action: str, role_arn: str) -> bool | None:
    """Return whether an action is allowed on a role: by its policies, and by its boundary if it has one."""
    own = decided(held.documents.values(), action, role_arn)
    if own is False or not held.bound:
        return own
    bounded = None if held.boundary is None else decided((held.boundary,), action, role_arn)
    return False if bounded is False else None if own is None or bounded is None else True
