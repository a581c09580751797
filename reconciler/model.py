"""The values that move through xgrant. Every one of them is frozen; a changed one is a copy.

Words: see the table in CONTRIBUTING.md. Durations are in seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.errors import Place
from reconciler.policy.arn import iam_arn, root_arn
from reconciler.policy.conditions import Conditions
from reconciler.policy.document import PolicyDocument


class Kind(StrEnum):
    """The kinds of resource that xgrant owns."""

    ROLE = "role"
    CALLER_POLICY = "caller-policy"
    MANAGED_POLICY = "managed-policy"


class PrincipalKind(StrEnum):
    """The kinds of principal of a source account. ACCOUNT stands for whoever the other side chooses."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Access:
    """How an account is reached: a profile, or a role to assume; with neither, the caller's own credentials."""

    profile: str | None = None
    role: str | None = None
    external_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account of the manifest. One that is not `managed` is somebody else's: never read, never written."""

    name: str
    id: str
    managed: bool = True
    partition: str = "aws"
    access: Access = Access()


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, group or role of a source account, with its path."""

    kind: PrincipalKind
    name: str
    path: str = "/"

    def arn(self, account: Account) -> str:
        """Return the value that names this principal in a trust policy; a group can only be named by its account."""
        if self.kind in (PrincipalKind.USER, PrincipalKind.ROLE):
            return iam_arn(account.partition, account.id, self.kind, self.path, self.name)
        return root_arn(account.partition, account.id)


@dataclass(frozen=True, slots=True)
class Require:
    """What a caller has to meet beside being trusted."""

    mfa: bool = False
    external_id: str | None = None
    source_org: str | None = None
    source_ip: tuple[str, ...] = ()

    def conditions(self) -> Conditions:
        """Return the condition block of a trust policy's Allow that demands all of it.

        MFA is `Bool` true in an Allow, since the key is absent without MFA (facts sheet 6).
        """
        block: dict[str, dict[str, tuple[str, ...]]] = {}
        if self.mfa:
            block["Bool"] = {"aws:MultiFactorAuthPresent": ("true",)}
        if self.source_ip:
            block["IpAddress"] = {"aws:SourceIp": self.source_ip}
        equals = {"sts:ExternalId": self.external_id, "aws:PrincipalOrgID": self.source_org}
        for key, value in equals.items():
            if value is not None:
                block.setdefault("StringEquals", {})[key] = (value,)
        return block


@dataclass(frozen=True, slots=True)
class Grant:
    """What a manifest declares: these principals of one account may use these permissions in another account.

    `conditions` are those of the trust policy, `require` included. `permissions` is None where managed policies
    say it all, where `inline_policies` stand in their place, or where the target account is somebody else's.
    `moved_from` are the names that the grant had before, the oldest first.
    """

    name: str
    place: Place
    source: str
    target: str
    role_name: str
    role_path: str = "/"
    description: str = ""
    principals: tuple[Principal, ...] = ()
    entire_account: bool = False
    permissions: PolicyDocument | None = None
    managed_policies: frozenset[str] = frozenset()
    permissions_boundary: str | None = None
    conditions: Conditions = field(default_factory=dict)
    max_session_duration: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)
    managed_caller_policy: bool = False
    makes_caller_policies: bool = True
    inline_policies: Mapping[str, PolicyDocument] = field(default_factory=dict)
    adopt: bool = False
    moved_from: tuple[str, ...] = ()
    prevent_destroy: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one plan may do: deletions, also in percent of what the stack owns, and changes of one account.

    None where nobody wrote a number.
    """

    delete: int | None = None
    delete_percent: int | None = None
    change_per_account: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """All manifest files together: the stack, its accounts by name, and its grants in order of name.

    `digest` is the SHA-256, in hexadecimal, over the content of all files that were read, policy files included.
    `store` is where locks and history are kept, like `s3://bucket/prefix`; empty for this machine.
    `inherits_mfa` says whether a grant demands MFA unless it declines.
    """

    stack: str
    accounts: Mapping[str, Account]
    grants: tuple[Grant, ...]
    limits: Limits = Limits()
    digest: str = ""
    store: str = ""
    inherits_mfa: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where a resource is: account, kind, name; for a caller policy also the principal that carries it.

    A role's name is its own; a caller policy's name is its grant's. Written `storage/role/Reader` and
    `dev/group/developers/caller-policy/shared-bucket-read`.
    """

    account: str
    kind: Kind
    name: str
    holder: tuple[PrincipalKind, str] | None = None

    def __str__(self) -> str:
        if self.holder is None:
            return f"{self.account}/{self.kind}/{self.name}"
        return f"{self.account}/{self.holder[0]}/{self.holder[1]}/{self.kind}/{self.name}"

    def slot(self) -> tuple[str, ...]:
        """Return what AWS keeps unique. It ignores the case of users', groups' and roles' names (facts sheet 1.1)."""
        if self.holder is None:
            return (self.account, self.kind, self.name.casefold())
        return (self.account, self.kind, self.holder[0], self.holder[1].casefold(), self.name)


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a target account with all that hangs on it.

    `inline_policies` leaves out caller policies, which are resources of their own, and `AWSRevokeOlderSessions`:
    `sessions_revoked` says whether that one is there, which is never a difference. One that only has such a name, and
    says something else, is among them.
    Of a desired one `adopt` says that it may take over a role of no stack, and `moved_from` under which earlier names
    of its grant it may still be marked.
    """

    grant: str
    arn: str = field(compare=False)
    path: str
    trust_policy: PolicyDocument
    description: str = ""
    inline_policies: Mapping[str, PolicyDocument] = field(default_factory=dict)
    managed_policies: frozenset[str] = frozenset()
    permissions_boundary: str | None = None
    max_session_duration: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)
    instance_profiles: frozenset[str] = frozenset()
    sessions_revoked: bool = field(default=False, compare=False)
    adopt: bool = field(default=False, compare=False)
    moved_from: tuple[str, ...] = field(default=(), compare=False)

    def attributes(self) -> dict[str, Any]:
        """Return what is compared and shown, as plain data in a stable order; policy documents stay documents."""
        return {
            "path": self.path,
            "description": self.description,
            "max_session_duration": self.max_session_duration,
            "trust_policy": self.trust_policy,
            "permissions_boundary": self.permissions_boundary,
            "inline_policies": {name: self.inline_policies[name] for name in sorted(self.inline_policies)},
            "managed_policies": sorted(self.managed_policies),
            "instance_profiles": sorted(self.instance_profiles),
            "tags": {key: self.tags[key] for key in sorted(self.tags)},
        }


@dataclass(frozen=True, slots=True)
class CallerPolicy:
    """The inline policy on a source principal that allows `sts:AssumeRole` on the role of a grant.

    Of a desired one `managed` says that it has to be a part of a managed policy instead, and `adopt` that it may take
    over one made by hand. `name` is that one's own; empty for a policy that is named as the stack's are. `beside` are
    the names of further ones made by hand that say the same, and go when the grant takes over.
    """

    grant: str
    document: PolicyDocument
    managed: bool = field(default=False, compare=False)
    adopt: bool = field(default=False, compare=False)
    name: str = ""
    beside: tuple[str, ...] = ()

    def attributes(self) -> dict[str, Any]:
        """Return what is compared and shown, as for a role."""
        by_hand: dict[str, Any] = {"name": self.name, "beside": list(self.beside)}
        return {"document": self.document} | {key: value for key, value in by_hand.items() if value}


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A customer managed policy of the stack, because what it says does not fit into inline policies.

    It is either the caller policy of one principal for several grants (`grant` is then empty), or a part of the
    permissions of one grant's role. `attached_to` names whom it is attached to, like `group/developers`; the role
    whose permissions it holds says so itself, in its `managed_policies`.
    """

    grant: str
    arn: str = field(compare=False)
    path: str
    document: PolicyDocument
    attached_to: frozenset[str] = frozenset()

    def attributes(self) -> dict[str, Any]:
        """Return what is compared and shown, as for a role."""
        document = "permissions" if self.grant else "document"
        return {"path": self.path, document: self.document, "attached_to": sorted(self.attached_to)}


Resource = Role | CallerPolicy | ManagedPolicy
State = Mapping[Address, Resource]


@dataclass(frozen=True, slots=True)
class Carried:
    """What hangs on a user, group or role: its inline policies by name with their sizes, its managed policies' ARNs."""

    inline: Mapping[str, int] = field(default_factory=dict)
    attached: frozenset[str] = frozenset()


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
    `by_hand` are, by the keys of `principals`, the inline policies by name that allow to assume roles and are no
    stack's; `marked` those that are named as a stack's caller policies are.
    An account that is not managed is not read: all is empty, and `policies` is None. So it is with one that could not
    be read; `error` then says why.
    """

    account: Account
    principals: Mapping[tuple[PrincipalKind, str], str] = field(default_factory=dict)
    foreign_caller_policies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    carried: Mapping[tuple[PrincipalKind, str], Carried] = field(default_factory=dict)
    policies: frozenset[str] | None = None
    summary: Mapping[str, int] = field(default_factory=dict)
    bounded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_hand: Mapping[tuple[PrincipalKind, str], Mapping[str, PolicyDocument]] = field(default_factory=dict)
    marked: Mapping[tuple[PrincipalKind, str], Mapping[str, PolicyDocument]] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to read: these accounts, for this stack.

    Roles of `role_slots`, and all of the accounts named in `whole`, are read even where they are not ours.
    `policy_arns` are the managed policies of which it has
    to be known whether they exist.
    """

    stack: str
    accounts: tuple[Account, ...]
    role_slots: frozenset[tuple[str, ...]]
    policy_arns: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Live:
    """What AWS is: the state, and the facts of each account by the account's name."""

    state: State
    facts: Mapping[str, AccountFacts]


class Action(StrEnum):
    """What a change does."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` is what AWS has, `after` what it will have; None where there is nothing.

    `attributes` names the attributes that differ. `replaces` is the address that a replacement takes away, where
    it is not the same one. `reason` says in words why, where the attributes do not. `interim` is what an update has to
    bring about first, where a part of it must be gone before another change and a part must come after it.
    """

    address: Address
    action: Action
    grant: str
    before: Resource | None
    after: Resource | None
    attributes: tuple[str, ...] = ()
    replaces: Address | None = None
    reason: str = ""
    interim: Resource | None = None

    def removed_address(self) -> Address:
        """Return the address at which `before` stands."""
        return self.replaces or self.address


class Verb(StrEnum):
    """The two halves that a change is made of: a replacement is both."""

    REMOVE = "remove"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Step:
    """A half of a change, and the steps (by index in the plan) that must be done before it."""

    change: Change
    verb: Verb
    requires: tuple[int, ...] = ()


class Severity(StrEnum):
    """What a finding does: an error stops the plan, a warning and a note only speak."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of a plan. `documents` are policies that the reader needs to see, by title.

    One that is `acceptable` no longer stops the plan once it is `accepted` by its rule's id.
    """

    rule: str
    severity: Severity
    message: str
    way_out: str = ""
    address: Address | None = None
    grant: str = ""
    documents: tuple[tuple[str, PolicyDocument], ...] = ()
    acceptable: bool = False
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """All that is declared, and all that was read: what a plan is judged by where it sees a part, or destroys."""

    desired: State
    live: State


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes, in order of grant and address; the steps that make them, in a safe order; findings; a fingerprint.

    The fingerprint is a digest of what will be changed into what: two plans with equal fingerprints do the same.
    """

    stack: str
    desired: State
    live: Live
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    fingerprint: str = ""
    limits: Limits = Limits()
    whole: Whole = Whole({}, {})

    def count(self, action: Action) -> int:
        """Return how many changes have this action."""
        return sum(change.action is action for change in self.changes)

    def refused(self) -> bool:
        """Return whether a finding forbids to apply the plan."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def complete(self) -> bool:
        """Return whether every managed account could be read."""
        return not any(facts.error for facts in self.live.facts.values())


class Status(StrEnum):
    """What became of a change."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What apply did with a change. `error` says why it failed, or what it waited for in vain."""

    change: Change
    status: Status
    error: str = ""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call that AWS answered: the operation, AWS's id of the request, and the error code if it refused."""

    operation: str
    request_id: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step is about to be executed; the `number`th of `total`."""

    step: Step
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is done, has failed, or was skipped; `error` says why. `calls` are those to AWS that it took."""

    step: Step
    number: int
    total: int
    status: Status
    error: str = ""
    calls: tuple[ApiCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs xgrant and where: known to locks and history. What is not known is empty.

    `user` is the operating system's, `identity` the ARN of the AWS credentials that xgrant was started with, `commit`
    the git commit of the manifests, `command` the command line with what is secret masked.
    """

    user: str
    host: str
    process: int
    command: str
    commit: str = ""
    identity: str = ""


Event = StepStarted | StepEnded


def as_data(resource: Resource | None) -> Any:
    """Return a resource as JSON-ready data with canonical policy documents; None stays None."""
    return None if resource is None else _plain(resource.attributes())


def _plain(value: Any) -> Any:
    if isinstance(value, PolicyDocument):
        return json.loads(value.canonical)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def fingerprint(changes: Iterable[Change]) -> str:
    """Return the SHA-256 digest, in hexadecimal, over the canonical JSON of what the changes do."""
    data = [[str(c.address), c.action, str(c.removed_address()), as_data(c.before), as_data(c.after)] for c in changes]
    return _digest(data)


def resource_fingerprint(resource: Resource) -> str:
    """Return the SHA-256 digest, in hexadecimal, over the canonical JSON of what a resource is."""
    return _digest(as_data(resource))


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
