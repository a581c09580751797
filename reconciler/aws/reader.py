"""Reads accounts in bulk: the same few calls, whatever the number of grants.

GetAccountAuthorizationDetails leaves out a role's MaxSessionDuration and Description, ListRoles its tags, boundary
and policies: it takes both (facts sheet 2.1, 2.2). GetAccountSummary tells the quotas (1.3). One more call is made
where a role is to trust an OpenID Connect provider.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from reconciler.aws.apart import (
    default_document,
    ends_sessions,
    foreign_caller_policies,
    is_own_attached,
    is_own_inline,
)
from reconciler.aws.errors import aws_errors
from reconciler.aws.held import held
from reconciler.aws.sessions import PARALLEL_ACCOUNTS, Connections, gather
from reconciler.aws.threads import threads
from reconciler.errors import XgrantError
from reconciler.events import AccountRead, Notice
from reconciler.model import (
    Account,
    AccountFacts,
    Address,
    CallerPolicy,
    Carried,
    Kind,
    Live,
    ManagedPolicy,
    PrincipalKind,
    Resource,
    Role,
    Scope,
)
from reconciler.ownership import (
    GRANT_TAG,
    INLINE_POLICY,
    ROTATED_TAG,
    STACK_TAG,
    owned_by,
    parse_caller_pack,
    parse_caller_policy_name,
    parse_permissions_path,
    stack_path,
    tags_as_read,
)
from reconciler.policy.arn import account_of
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import instant_of
from reconciler.policy.sizes import size
from reconciler.shards import ShardRequest, ShardResult, Work

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_iam.literals import EntityTypeType
    from types_boto3_iam.type_defs import PaginatorConfigTypeDef

# The most that both operations take; the default of 100 is ten times the calls.
_PAGE: PaginatorConfigTypeDef = {"PageSize": 1000}

_KINDS: list[EntityTypeType] = ["User", "Group", "Role", "LocalManagedPolicy"]

_Detail = Mapping[str, Any]
_Read = tuple[dict[Address, Resource], AccountFacts]


class AwsReader:
    """Reads the accounts of a scope, several at a time: here in threads, or by what does the `work` elsewhere."""

    def __init__(self, connections: Connections, work: Work | None = None) -> None:
        self._connections = connections
        self._work = work or self._here

    def read(self, scope: Scope, stopped: Callable[[], str] = str) -> Live:
        """Read every managed account; see `ports.Reader`."""
        with self._connections.retries.until(stopped):
            return self._read(scope)

    def _read(self, scope: Scope) -> Live:
        managed = [account for account in scope.accounts if account.managed]
        progress = _Progress(self._connections.notify, len(managed))
        results: dict[str, ShardResult] = {}
        for result in self._work(_requests(scope, managed)):
            results[result.account] = result
            progress.count(result.account)
        state: dict[Address, Resource] = {}
        facts = {account.name: AccountFacts(account) for account in scope.accounts}
        for account in managed:
            result = results[account.name]
            state.update(result.state)
            known = result.facts or AccountFacts(account, error=result.error)
            facts[account.name] = replace(known, account=account)
        if managed and not scope.part and all(results[account.name].error for account in managed):
            errors = (XgrantError(results[account.name].error) for account in managed)
            gather(errors, {account.name: account.id for account in managed})
        return Live(state, self._with_aws_policies(scope, facts))

    def _here(self, requests: Iterable[ShardRequest]) -> Iterator[ShardResult]:
        with threads(PARALLEL_ACCOUNTS, "read") as pool:
            waiting = [pool.submit(do_reading, request, self._connections) for request in requests]
            yield from (future.result() for future in as_completed(waiting))

    def _with_aws_policies(self, scope: Scope, facts: Mapping[str, AccountFacts]) -> dict[str, AccountFacts]:
        """Add AWS's own managed policies to what exists, where one is named that no account has attached yet.

        They are the same in every account of a partition, so one account of it is asked; another if that fails.
        """
        found = dict(facts)
        by_partition: dict[str, list[AccountFacts]] = {}
        for known in facts.values():
            if known.policies is not None:
                by_partition.setdefault(known.account.partition, []).append(known)
        for partition, members in sorted(by_partition.items()):
            wanted = frozenset(arn for arn in scope.policy_arns if arn.startswith(f"arn:{partition}:iam::aws:policy/"))
            attached = frozenset[str]().union(*(known.policies or () for known in members))
            listed = wanted if wanted <= attached else self._listed(scope.stack, members, wanted)
            for known in members:
                found[known.account.name] = replace(known, policies=(known.policies or frozenset()) | listed)
        return found

    def _listed(self, stack: str, members: Iterable[AccountFacts], wanted: frozenset[str]) -> frozenset[str]:
        errors: list[XgrantError] = []
        for known in members:
            for result in self._work([ShardRequest("", stack, slim(known.account), policies=wanted)]):
                if not result.error:
                    return result.policies
                errors.append(XgrantError(result.error))
        gather(errors)
        return frozenset()


def slim(account: Account) -> Account:
    """Return an account with what it takes to reach it, and no more."""
    return replace(account, apply_access=None, tags={}, ou=(), units="")


def _requests(scope: Scope, managed: Iterable[Account]) -> Iterator[ShardRequest]:
    slots: dict[str, set[tuple[str, ...]]] = {}
    for slot in scope.role_slots:
        slots.setdefault(slot[0], set()).add(slot)
    for account in managed:
        own = Scope(
            scope.stack, (slim(account),), frozenset(slots.get(account.name, ())),
            frozenset(arn for arn in scope.policy_arns if account_of(arn) == account.id),
            whole=scope.whole & {account.name}, oidc=scope.oidc & {account.name}, held=scope.held & {account.name},
        )  # fmt: skip
        yield ShardRequest("", scope.stack, slim(account), read=own)


def do_reading(request: ShardRequest, connections: Connections) -> ShardResult:
    """Do what a request asks to read; an error is a part of the result."""
    account = request.account
    try:
        if request.read is None:
            return ShardResult(account.name, policies=_aws_policies(account, connections) & request.policies)
        state, facts = read_account(account, connections, request.read)
    except XgrantError as error:
        return ShardResult(account.name, str(error))
    return ShardResult(account.name, state=state, facts=facts)


def _aws_policies(account: Account, connections: Connections) -> frozenset[str]:
    with connections.client(account) as iam, aws_errors(account.name, "ListPolicies"):
        pages = iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig=_PAGE)
        return frozenset(policy["Arn"] for page in pages for policy in page["Policies"])


class _Progress:
    """Tells how many accounts are read; they are read in several threads."""

    def __init__(self, notify: Callable[[Notice], None], total: int) -> None:
        self._notify = notify
        self._total = total
        self._lock = threading.Lock()
        self._number = 0

    def count(self, account: str) -> None:
        with self._lock:
            self._number += 1
            self._notify(AccountRead(account, self._number, self._total))


def read_account(account: Account, connections: Connections, scope: Scope) -> _Read:
    """Return what a managed account has of the scope, and its facts; its client is let go.

    AWS's own managed policies are in the facts only where they are attached, or bound somebody.

    Raises:
        AwsError: the account cannot be reached or read, or is another one than the manifest says.

    """
    return connections.once_more(account, lambda iam: _read_in_bulk(account, iam, scope))


def _read_in_bulk(account: Account, iam: IAMClient, scope: Scope) -> _Read:
    with aws_errors(account.name, "GetAccountAuthorizationDetails"):
        details: dict[str, list[Any]] = {
            "UserDetailList": [],
            "GroupDetailList": [],
            "RoleDetailList": [],
            "Policies": [],
        }
        paginator = iam.get_paginator("get_account_authorization_details")
        for page in paginator.paginate(Filter=_KINDS, PaginationConfig=_PAGE):
            found: Mapping[str, Any] = page
            for key, collected in details.items():
                collected.extend(found.get(key, []))
    with aws_errors(account.name, "ListRoles"):
        pages = iam.get_paginator("list_roles").paginate(PaginationConfig=_PAGE)
        listed = {role["RoleName"]: role for page in pages for role in page["Roles"]}

    with aws_errors(account.name, "GetAccountSummary"):
        summary = {str(name): number for name, number in iam.get_account_summary()["SummaryMap"].items()}

    state, facts = _caller_policies(account, details, scope.stack)
    state |= _managed_policies(account, details, scope.stack)
    facts = replace(
        facts,
        summary=summary,
        carried=_carried(details),
        policies=_policies(details),
        bounded=_bounded(details),
        documents={
            policy["Arn"]: PolicyDocument.read(default_document(policy))
            for policy in details["Policies"]
            if policy["Arn"] in scope.policy_arns
        },
        by_hand=_openings(details, scope.stack, marked=False),
        marked=_openings(details, scope.stack, marked=True),
        held=held(details) if account.name in scope.held else {},
        oidc_providers=_oidc_providers(account, iam) if account.name in scope.oidc else None,
    )
    for detail in details["RoleDetailList"]:
        address = Address(account.name, Kind.ROLE, detail["RoleName"])
        if owned_by(tags_of(detail), scope.stack) or address.slot() in scope.role_slots or account.name in scope.whole:
            rest = listed.get(detail["RoleName"]) or _get_role(account, iam, detail["RoleName"])
            if rest is not None:
                foreign = facts.foreign_caller_policies.get(detail["RoleName"], ())
                state[address] = role_of(detail, rest, scope.stack, foreign)
    return state, facts


def _oidc_providers(account: Account, iam: IAMClient) -> frozenset[str]:
    with aws_errors(account.name, "ListOpenIDConnectProviders"):
        return frozenset(found["Arn"] for found in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"])


def _managed_policies(account: Account, details: Mapping[str, list[_Detail]], stack: str) -> dict[Address, Resource]:
    """Return the stack's managed policies. That its own roles have their permissions by one is for them to say."""
    state: dict[Address, Resource] = {}
    holders: dict[str, set[str]] = {}
    for kind, entity in _entities(details):
        for attached in entity.get("AttachedManagedPolicies", []):
            if f":policy{stack_path(stack)}permissions/" in attached["PolicyArn"] and owned_by(tags_of(entity), stack):
                continue
            holder = f"{kind}/{entity[f'{kind.capitalize()}Name']}"
            holders.setdefault(attached["PolicyArn"], set()).add(holder)
    for policy in details["Policies"]:
        path, name = policy["Path"], policy["Arn"].rsplit("/", 1)[-1]
        grant = parse_permissions_path(stack, path)
        if grant is None and parse_caller_pack(stack, path, name) is None:
            continue
        document = default_document(policy)
        state[Address(account.name, Kind.MANAGED_POLICY, name)] = ManagedPolicy(
            grant or "",
            policy["Arn"],
            path,
            PolicyDocument.read(document) if grant else _without_sids(document),
            frozenset(holders.get(policy["Arn"], ())),
        )
    return state


def _caller_policies(
    account: Account, details: Mapping[str, list[_Detail]], stack: str
) -> tuple[dict[Address, Resource], AccountFacts]:
    state: dict[Address, Resource] = {}
    principals: dict[tuple[PrincipalKind, str], str] = {}
    foreign: dict[str, tuple[str, ...]] = {}
    ids: dict[str, str] = {}
    for kind, entity in _entities(details):
        name = entity[f"{kind.capitalize()}Name"]
        principals[kind, name.casefold()] = entity["Arn"]
        if kind is not PrincipalKind.GROUP:
            ids[entity[f"{kind.capitalize()}Id"]] = entity["Arn"]
        for policy in entity.get(f"{kind.capitalize()}PolicyList", []):
            marked = parse_caller_policy_name(policy["PolicyName"])
            if marked is not None and marked[0] == stack:
                address = Address(account.name, Kind.CALLER_POLICY, marked[1], (kind, name))
                state[address] = CallerPolicy(marked[1], _without_sids(policy["PolicyDocument"]))
        if kind is PrincipalKind.ROLE and (theirs := foreign_caller_policies(entity, details["Policies"], stack)):
            foreign[name] = theirs
    return state, AccountFacts(account, principals, foreign, ids)


def _carried(details: Mapping[str, list[_Detail]]) -> dict[tuple[PrincipalKind, str], Carried]:
    return {
        (kind, entity[f"{kind.capitalize()}Name"].casefold()): Carried(
            inline={
                policy["PolicyName"]: size(PolicyDocument.read(policy["PolicyDocument"]))
                for policy in entity.get(f"{kind.capitalize()}PolicyList", [])
            },
            attached=frozenset(policy["PolicyArn"] for policy in entity.get("AttachedManagedPolicies", [])),
        )
        for kind, entity in _entities(details)
    }


def _openings(
    details: Mapping[str, list[_Detail]], stack: str, *, marked: bool
) -> dict[tuple[PrincipalKind, str], dict[str, PolicyDocument]]:
    """Return the inline policies that allow to assume roles and are named as a stack's are, or those that are not."""
    found: dict[tuple[PrincipalKind, str], dict[str, PolicyDocument]] = {}
    for kind, entity in _entities(details):
        if tags_of(entity).get(STACK_TAG, stack) != stack:
            continue  # A role of another stack is owned whole.
        for policy in entity.get(f"{kind.capitalize()}PolicyList", []):
            is_marked = parse_caller_policy_name(policy["PolicyName"]) is not None
            if policy["PolicyName"] == INLINE_POLICY or is_marked is not marked:
                continue
            document = _without_sids(policy["PolicyDocument"])
            if document.opens("sts:AssumeRole"):
                key = (kind, entity[f"{kind.capitalize()}Name"].casefold())
                found.setdefault(key, {})[policy["PolicyName"]] = document
    return found


def _without_sids(raw: object) -> PolicyDocument:
    return PolicyDocument.read(raw).without_sids()


def _policies(details: Mapping[str, list[_Detail]]) -> frozenset[str]:
    """Return the managed policies that surely exist: those of the account, and whatever is attached or bounds."""
    own = {policy["Arn"] for policy in details["Policies"]}
    attached = {
        policy["PolicyArn"] for _, entity in _entities(details) for policy in entity.get("AttachedManagedPolicies", [])
    }
    return frozenset(own | attached | set(_bounded(details)))


def _bounded(details: Mapping[str, list[_Detail]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for kind, entity in _entities(details):
        arn = entity.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        if arn is not None:
            found[arn] = tuple(sorted((*found.get(arn, ()), f"{kind}/{entity[f'{kind.capitalize()}Name']}")))
    return found


def _entities(details: Mapping[str, Iterable[_Detail]]) -> Iterator[tuple[PrincipalKind, _Detail]]:
    for kind, key in (
        (PrincipalKind.USER, "UserDetailList"),
        (PrincipalKind.GROUP, "GroupDetailList"),
        (PrincipalKind.ROLE, "RoleDetailList"),
    ):
        for entity in details[key]:
            yield kind, entity


def _get_role(account: Account, iam: IAMClient, name: str) -> _Detail | None:
    """Read a role that was made or removed between the two bulk reads; None if it is gone."""
    with aws_errors(account.name, "GetRole"):
        try:
            return iam.get_role(RoleName=name)["Role"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return None
            raise


def role_of(detail: _Detail, listed: _Detail, stack: str, foreign: Iterable[str]) -> Role:
    """Return a role from what GetAccountAuthorizationDetails says of it, and ListRoles or GetRole.

    `foreign` are the policies on it that are other stacks' caller policies.
    """
    tags = tags_of(detail)
    rotated = _rotated(tags.pop(ROTATED_TAG, ""), detail)
    return Role(
        grant=tags.get(GRANT_TAG, ""),
        arn=detail["Arn"],
        path=detail["Path"],
        trust_policy=_without_sids(detail["AssumeRolePolicyDocument"]),
        description=listed.get("Description", ""),
        inline_policies={
            policy["PolicyName"]: PolicyDocument.read(policy["PolicyDocument"])
            for policy in detail.get("RolePolicyList", [])
            if is_own_inline(policy, stack, foreign)
        },
        managed_policies=frozenset(
            policy["PolicyArn"]
            for policy in detail.get("AttachedManagedPolicies", [])
            if is_own_attached(policy["PolicyArn"], stack, foreign)
        ),
        permissions_boundary=detail.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        max_session_duration=listed.get("MaxSessionDuration", 3600),
        tags=tags,
        rotated=rotated,
        instance_profiles=frozenset(
            profile["InstanceProfileName"] for profile in detail.get("InstanceProfileList", [])
        ),
        sessions_revoked=next(
            (
                PolicyDocument.read(policy["PolicyDocument"])
                for policy in detail.get("RolePolicyList", [])
                if ends_sessions(policy)
            ),
            None,
        ),
    )


def _rotated(tag: str, detail: _Detail) -> int:
    """Return when a role was last rotated: as its tag says, or else when it was made."""
    try:
        return instant_of(tag)
    except ValueError:
        return int(detail["CreateDate"].timestamp())


def tags_of(detail: _Detail) -> dict[str, str]:
    """Return the tags of a user, role or policy as AWS lists them."""
    return tags_as_read({tag["Key"]: tag["Value"] for tag in detail.get("Tags", [])})
