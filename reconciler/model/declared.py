"""What manifests declare: accounts, and grants between them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reconciler.errors import Place
from reconciler.policy.arn import account_of, iam_arn, root_arn
from reconciler.policy.conditions import Conditions
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import instant_text
from reconciler.policy.web_identity import condition

CURRENT_TIME = "aws:CurrentTime"
"""The condition key that says when a request is made."""


class PrincipalKind(StrEnum):
    """The kinds of principal of a source account. ACCOUNT stands for whoever the other side chooses.

    A permission set of IAM Identity Center stands for the role that it has in the account; AWS alone changes that role.
    """

    USER = "user"
    GROUP = "group"
    ROLE = "role"
    PERMISSION_SET = "permission set"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Hub:
    """A role, by its ARN, that is assumed first: by the profile, or by the caller's own credentials without one."""

    arn: str
    external_id: str | None = field(default=None, repr=False)
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """How an account is reached: a profile, or a role to assume; with neither, the caller's own credentials.

    The role is assumed by the `hub`, if there is one, or by the caller's own credentials.
    """

    profile: str | None = None
    role: str | None = None
    external_id: str | None = field(default=None, repr=False)
    hub: Hub | None = None


ACTIVE = "ACTIVE"
"""The state of an account of AWS Organizations that can be used; all others cannot (facts sheet 2.4)."""


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account of the manifest. One that is not `managed` is somebody else's: never read, never written.

    `access` is the way to read it, `apply_access` that of an apply, which reads and writes; None where it is the same.
    `tags`, `ou` and `state` are those of AWS Organizations: `ou` the ids of its root and its units, the outermost
    first, `units` their names as a path. `listed` says that the organization has it.
    """

    name: str
    id: str
    managed: bool = True
    partition: str = "aws"
    access: Access = Access()
    apply_access: Access | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    ou: tuple[str, ...] = ()
    units: str = ""
    state: str = ACTIVE
    listed: bool = False

    def as_applied_to(self) -> Account:
        """Return it as an apply reaches it, also to read it."""
        return replace(self, access=self.apply_access or self.access)

    def ways(self) -> frozenset[Access]:
        """Return all ways by which it is reached."""
        return frozenset([self.access, self.apply_access or self.access])

    def stable_hash(self) -> int:
        """Return a number that is always the same for the same account, and spreads accounts evenly."""
        return int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class Organization:
    """Where accounts are listed: how its management account, or a delegated administrator, is reached.

    `account` is that account's id where a role of it is assumed, `id` the one that the organization has to have. A list
    that is at most `refresh` seconds old is taken as it is.
    """

    access: Access
    id: str = ""
    account: str = ""
    partition: str = "aws"
    refresh: int = 0


def working_roles(accounts: Collection[Account], organization: Organization | None) -> frozenset[tuple[str, str]]:
    """Return the roles that xgrant itself assumes to work: the account's id, and the name in lower case."""
    found = {(account.id, way.role) for account in accounts for way in account.ways() if way.role is not None}
    hubs = (way.hub.arn for account in accounts for way in account.ways() if way.hub is not None)
    found |= {(account_of(arn), arn) for arn in hubs}
    if organization is not None and organization.access.role is not None:
        found.add((organization.account, organization.access.role))
    return frozenset((account_id, role.rsplit("/", 1)[-1].casefold()) for account_id, role in found)


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, group, role or permission set of a source account; or all of the account, whose id is then the name.

    `account` is the manifest's name for the source account.
    """

    kind: PrincipalKind
    name: str
    path: str = "/"
    account: str = ""

    def arn(self, account: Account) -> str:
        """Return the value that names this principal in a trust policy.

        A group and a permission set can only be named by their account.
        """
        if self.kind in (PrincipalKind.USER, PrincipalKind.ROLE):
            return iam_arn(account.partition, account.id, self.kind, self.path, self.name)
        return root_arn(account.partition, account.id)


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """Callers of no source account: whoever has a token of an OpenID Connect provider, such as a job of a repository.

    `provider` is its host, with its path; the token has to have one of the audiences and one of the subjects, in which
    `*` and `?` are wildcards.
    """

    provider: str
    audiences: tuple[str, ...]
    subjects: tuple[str, ...]

    def conditions(self) -> Conditions:
        """Return the condition block of a trust policy's Allow that demands such a token."""
        return condition(self.provider, self.audiences, self.subjects)


@dataclass(frozen=True, slots=True)
class Require:
    """What a caller has to meet beside being trusted."""

    mfa: bool = False
    external_ids: tuple[str, ...] = field(default=(), repr=False)
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
        organization = (self.source_org,) if self.source_org is not None else ()
        for key, values in {"sts:ExternalId": self.external_ids, "aws:PrincipalOrgID": organization}.items():
            if values:
                block.setdefault("StringEquals", {})[key] = values
        return block


def validity(starts: int | None, expires: int | None) -> Conditions:
    """Return the condition block of an Allow that holds from `starts` on and before `expires`.

    `aws:CurrentTime` is in the context of every request (user guide, "AWS global condition context keys"), so access
    begins and ends though nobody writes anything then.
    """
    bounds = {"DateGreaterThanEquals": starts, "DateLessThan": expires}
    return {
        operator: {CURRENT_TIME: (instant_text(moment),)} for operator, moment in bounds.items() if moment is not None
    }


@dataclass(frozen=True, slots=True)
class Grant:
    """What a manifest declares: these principals may use these permissions in another account.

    A grant over several target accounts is one Grant for each, all of one name. `principals` are of one source account
    or of several; a whole account is a principal of kind ACCOUNT. There is none where `web_identity` says who the
    callers are. `conditions` are those of the trust policy, `require` included. `permissions` is None where managed
    policies say it all, where `inline_policies` stand in their place, or where the target account is somebody else's.
    `moved_from` are the names that the grant had before, the oldest first. `starts` and `expires` are moments (see
    `policy/instants.py`), which `conditions` say too. `rotate_every` are seconds. `external_ids` are those that
    `require` accepts, the newest first.
    """

    name: str
    place: Place
    target: str
    role_name: str
    role_path: str = "/"
    description: str = ""
    principals: tuple[Principal, ...] = ()
    web_identity: WebIdentity | None = None
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
    starts: int | None = None
    expires: int | None = None
    rotate_every: int | None = None
    external_ids: tuple[str, ...] = field(default=(), repr=False)

    def names(self) -> tuple[str, ...]:
        """Return all names that the grant has or had, the oldest first."""
        return (*self.moved_from, self.name)

    def expired(self, now: int) -> bool:
        """Return whether the grant has come to its end."""
        return self.expires is not None and self.expires <= now

    def out_of_force(self, now: int) -> str:
        """Say why it lets nobody in at a moment; empty where it does."""
        if self.expired(now):
            return f"the grant has expired at {instant_text(self.expires or 0)}"
        if self.starts is not None and now < self.starts:
            return f"the grant begins at {instant_text(self.starts)}"
        return ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one plan may do: deletions, also in percent of what the stack owns, and changes of one account.

    None where nobody wrote a number.
    """

    delete: int | None = None
    delete_percent: int | None = None
    change_per_account: int | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """In which waves an apply goes over the accounts: those of the `canary` first, by name.

    Then so many percent, `then`, which rise to 100, of all accounts that the plan changes. After `stop_on` failures no
    further wave begins.
    """

    canary: frozenset[str]
    then: tuple[int, ...]
    stop_on: int = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """All manifest files together: the stack, its accounts by name, and its grants in order of name and target.

    `groups` are the accounts of each group. Without a `rollout` an apply is one wave.

    `digest` is the SHA-256, in hexadecimal, over the content of all files that were read, policy files included.
    `store` is where locks and history are kept, like `s3://bucket/prefix`; empty for this machine. `path` is the first
    one that was named to read them. `inactive` are accounts of the organization that cannot be used, and are no
    accounts of the manifest. `unresolved` are grants over accounts of an organization that was not asked: they are not
    among `grants`.
    `inherits_mfa` says whether a grant demands MFA unless it declines. `expiry_notice` are the seconds before a grant's
    end from which on that is said.
    """

    stack: str
    accounts: Mapping[str, Account]
    grants: tuple[Grant, ...]
    limits: Limits = Limits()
    rollout: Rollout | None = None
    digest: str = ""
    store: str = ""
    path: str = ""
    default_access: Access = Access()
    organization: Organization | None = None
    inactive: tuple[Account, ...] = ()
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unresolved: tuple[str, ...] = ()
    inherits_mfa: bool = False
    expiry_notice: int = 0
