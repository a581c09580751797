"""What a read is asked for, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.declared import Account, PrincipalKind
from reconciler.model.resources import State
from reconciler.policy.document import PolicyDocument


@dataclass(frozen=True, slots=True)
class Carried:
    """What hangs on a user, group or role: its inline policies by name with their sizes, its managed policies' ARNs."""

    inline: Mapping[str, int] = field(default_factory=dict)
    attached: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class PolicyName:
    """What tells the policies of a user or role apart: an inline one and a managed one may have the same name.

    `arn` is that of a managed one, `group` the group whose policy it is; both empty without.
    """

    name: str
    arn: str = ""
    group: str = ""

    def words(self) -> str:
        """Return what it is called, like `Hop (managed) of group ops`."""
        return f"{self.name}{' (managed)' if self.arn else ''}{f' of group {self.group}' if self.group else ''}"


@dataclass(frozen=True, slots=True)
class Held:
    """What a user or role may do by its own policies, as far as they are about sessions or allow all of IAM.

    `documents` are those policies, with those of its groups, whose names are `groups`.
    `unread` are the ARNs of its managed policies whose documents are not read, AWS's own. `bound` is the ARN of its
    permissions boundary, empty without one, and `boundary` what that says; None where that is not read.
    """

    documents: Mapping[PolicyName, PolicyDocument] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    bound: str = ""
    boundary: PolicyDocument | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What a read learns of an account beside the state.

    `principals` are the ARNs of the users, groups and roles that exist, by kind and case-folded name; `ids` those of
    the users and roles by their unique id.
    `foreign_caller_policies` are the caller policies that are not the plan's to remove, other stacks' for example, by
    the name of the role that carries them.
    `carried` is by the same keys as `principals`. `policies` are the ARNs of the managed policies that exist, as far as
    the scope asks for them. `summary` is what GetAccountSummary says: quotas and counts by AWS's names.
    `bounded` are, by a managed policy's ARN, the users and roles whose permissions boundary it is, like `role/Reader`.
    `documents` are what those managed policies of the account say, by their ARNs, for which the scope asks.
    `by_hand` are, by the keys of `principals`, the inline policies by name that allow to assume roles and are no
    stack's; `marked` those that are named as a stack's caller policies are.
    `held` are, by the same keys, the users and roles with policies about `sts:AssumeRole`, or such that are not read;
    only where the scope asks for them.
    `oidc_providers` are the ARNs of the OpenID Connect providers; None where the scope does not ask for them.
    An account that is not managed is not read: all is empty, and `policies` is None. So it is with one that could not
    be read; `error` then says why, and `way_out` what to do where that is not to run the command again. One that is
    `elsewhere` is planned by another shard: it may be read or not, and none of its resources are in the state.
    """

    account: Account
    principals: Mapping[tuple[PrincipalKind, str], str] = field(default_factory=dict)
    foreign_caller_policies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    carried: Mapping[tuple[PrincipalKind, str], Carried] = field(default_factory=dict)
    policies: frozenset[str] | None = None
    summary: Mapping[str, int] = field(default_factory=dict)
    bounded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    documents: Mapping[str, PolicyDocument] = field(default_factory=dict)
    by_hand: Mapping[tuple[PrincipalKind, str], Mapping[str, PolicyDocument]] = field(default_factory=dict)
    marked: Mapping[tuple[PrincipalKind, str], Mapping[str, PolicyDocument]] = field(default_factory=dict)
    held: Mapping[tuple[PrincipalKind, str], Held] = field(default_factory=dict)
    oidc_providers: frozenset[str] | None = None
    error: str = ""
    way_out: str = ""
    elsewhere: bool = False

    def planned(self) -> bool:
        """Return whether its resources are compared."""
        return not self.error and not self.elsewhere


@dataclass(frozen=True, slots=True)
class Scope:
    """What to read: these accounts, for this stack.

    Roles of `role_slots`, and all of the accounts named in `whole`, are read even where they are not ours.
    `policy_arns` are the managed policies of which it has to be known whether they exist, `oidc` names the accounts
    whose OpenID Connect providers have to be known, `held` those of which it has to be known who may assume roles by
    policies of whatever kind. A scope that is a `part` of one may have nothing that can be read.
    """

    stack: str
    accounts: tuple[Account, ...]
    role_slots: frozenset[tuple[str, ...]]
    policy_arns: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    oidc: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    part: bool = False


@dataclass(frozen=True, slots=True)
class Live:
    """What AWS is: the state, and the facts of each account by the account's name."""

    state: State
    facts: Mapping[str, AccountFacts]


@dataclass(frozen=True, slots=True)
class Departed:
    """An account that has left: its id, what it was called, its state if the organization lists it, what is left there.

    `resources` are the addresses of what the stack owns there; None where that cannot be read, and `error` says why.
    """

    id: str
    name: str
    state: str
    resources: tuple[str, ...] | None
    error: str = ""
