"""Who else of a source account gets in where a role trusts the whole of it, by policies of their own.

A trust policy that names an account lets that account's policies choose (facts sheet 6), as for groups, which no trust
policy can name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.model import Account, AccountFacts, Held, Identity, PrincipalKind
from reconciler.policy.conditions import Conditions
from reconciler.policy.decisions import (
    Statement,
    allows_everything,
    allows_service,
    concerned,
    conditional,
    covers_resource,
    decided,
    says,
)
from reconciler.policy.sessions import ASSUME, further_actions
from reconciler.use.choice import Use
from reconciler.use.refused import may_use
from reconciler.use.sides import session_of

Key = tuple[PrincipalKind, str]
"""Kind and case-folded name, as the facts of an account have a user or role."""

_IAM = "iam:PutUserPolicy"
"""What stands for all of IAM where it is asked whether something takes it away again."""


@dataclass(frozen=True, slots=True)
class Other:
    """A user or role whom a grant does not name, and whose own policies let it assume the role.

    `policies` are those that do. It is not `certain` where that hangs on conditions, or on a boundary that is not read.
    `unread` are the ARNs of policies that are not read, any of which may deny it. An `administrator` is allowed
    everything, or all but some named actions of which this is none, on every resource.
    """

    kind: PrincipalKind
    arn: str
    who: Identity
    policies: tuple[str, ...]
    certain: bool
    unread: frozenset[str]
    administrator: bool

    def label(self) -> str:
        """Return what it is called, like `user bob`."""
        return label_of(self.kind, self.arn)

    def words(self) -> str:
        """Return it with the policies that let it in, and what that hangs on."""
        plural = "policy" if len(self.policies) == 1 else "policies"
        named = ", ".join(sorted(short(arn) for arn in self.unread))
        doubts = [
            f"{self.label()}, by its {plural} {', '.join(self.policies)}",
            "" if self.certain else "on conditions",
        ]
        doubts.append(f"unless what is not read denies it ({named})" if named else "")
        return ", ".join(filter(None, doubts))


@dataclass(slots=True)
class ByRole:
    """Who of an account may assume roles by policies that are read, by the roles that these name.

    It is made once for all grants, which are looked up in it. `exact` are those that are named by an ARN; `patterns`
    has each pattern, and each statement with NotResource, once, however many hold it.
    """

    exact: dict[str, set[Key]] = field(default_factory=dict)
    patterns: dict[tuple[str, ...], tuple[Statement, set[Key]]] = field(default_factory=dict)

    def of(self, role_arn: str) -> list[Key]:
        """Return, in order, all whose policies may allow to assume a role, whatever denies it."""
        found = set(self.exact.get(role_arn, ()))
        for statement, keys in self.patterns.values():
            if covers_resource(statement, role_arn) is not False:
                found |= keys
        return sorted(found)


def by_role(facts: AccountFacts) -> ByRole:
    """Return who of an account may assume which roles."""
    found = ByRole()
    for key, held in facts.held.items():
        for statement in (one for each in held.documents.values() for one in concerned(each, "Allow", ASSUME)):
            for name in statement.get("Resource", ()):
                if not set(name) & set("*?$"):
                    found.exact.setdefault(name, set()).add(key)
                else:
                    found.patterns.setdefault((name,), ({"Resource": [name]}, set()))[1].add(key)
            if "NotResource" in statement:
                named = ("NotResource", *statement["NotResource"])
                found.patterns.setdefault(named, (statement, set()))[1].add(key)
    return found


def others(
    use: Use, account: Account, facts: AccountFacts, accounts: Mapping[str, Account], known: ByRole
) -> tuple[Other, ...]:
    """Return those of an account, in order of kind and name, whose own policies let them assume the role of a grant."""
    found = []
    for key in known.of(use.role_arn):
        arn, held = facts.principals[key], facts.held[key]
        who = _identity(key[0], arn, account)
        if may_use(use, accounts, who, held.groups) or (let_in := lets_in(held, use)) is False:
            continue
        allowing = tuple(
            name.words()
            for name, one in held.documents.items()
            if says([one], "Allow", ASSUME, use.role_arn) is not False
        )
        broad = any(allows_everything(one, ASSUME) for one in held.documents.values())
        found.append(Other(key[0], arn, who, allowing, let_in is True, held.unread, broad))
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


def strangers_of(
    found: Collection[Use], account: Account, facts: AccountFacts, accounts: Mapping[str, Account]
) -> tuple[Key, ...]:
    """Return whom of an account one of the grants does not name, of those who have policies about sessions."""
    # Grants of the same callers are alike here.
    different = {use.grant.principals: use for use in found}.values()
    return tuple(
        key
        for key, held in sorted(facts.held.items())
        if not all(
            may_use(use, accounts, _identity(key[0], facts.principals[key], account), held.groups) for use in different
        )
    )


def unread(keys: Iterable[Key], facts: AccountFacts) -> frozenset[str]:
    """Return the ARNs of the managed policies of users and roles that are not read."""
    return frozenset(arn for key in keys for arn in facts.held[key].unread)


def may_give_itself(held: Held) -> bool:
    """Return whether policies allow all of IAM on every resource, so that their holder can let itself in.

    That is said where nothing that is read takes it away for certain.
    """
    if not any(allows_service(one, "iam") for one in held.documents.values()):
        return False
    bounded = () if held.boundary is None else (held.boundary,)
    return all(decided(several, _IAM, "*") is not False for several in (held.documents.values(), bounded) if several)


def label_of(kind: PrincipalKind, arn: str) -> str:
    """Return what a user or role is called, like `user bob`."""
    return f"{kind} {short(arn)}"


def short(arn: str) -> str:
    """Return the name in an ARN of IAM, without its path."""
    return arn.rsplit("/", 1)[-1]


def _identity(kind: PrincipalKind, arn: str, account: Account) -> Identity:
    return Identity(account.id, arn) if kind is PrincipalKind.USER else session_of(short(arn), account)


def _decided(held: Held, action: str, role_arn: str) -> bool | None:
    """Return whether an action is allowed on a role: by its policies, and by its boundary if it has one."""
    own = decided(held.documents.values(), action, role_arn)
    if own is False or not held.bound:
        return own
    bounded = None if held.boundary is None else decided((held.boundary,), action, role_arn)
    return False if bounded is False else None if own is None or bounded is None else True
