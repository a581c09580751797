"""Lists the accounts of an organization: their names, states, units and tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.aws.errors import aws_errors
from reconciler.aws.sessions import Connections
from reconciler.aws.threads import threads
from reconciler.errors import AwsError
from reconciler.model import Account, Organization, UnreadTags

_PARALLEL = 8
_TRIES = 3
_NAME = "the organization"
_DENIED = (
    "only the management account and delegated administrators may list accounts; allow organizations:ListRoots, "
    "ListAccounts, ListAccountsForParent, ListOrganizationalUnitsForParent and ListTagsForResource, and for `id` "
    "DescribeOrganization, to the identity that is used there"
)

_Raw = Mapping[str, Any]


class AwsDirectory:
    """Asks AWS Organizations; see `ports.Directory`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def accounts(self, organization: Organization, *, tags: bool) -> tuple[Account, ...]:
        """Return all accounts; see `ports.Directory`."""
        where = Account(_NAME, organization.account, partition=organization.partition, access=organization.access)
        with self._connections.organizations(where) as client, aws_errors(_NAME, "ListAccounts", denied=_DENIED):
            _check(client, organization)
            found = _complete(client)
        with threads(_PARALLEL, "tags") as pool:
            read = list(pool.map(lambda one: self._tags(where, one), found)) if tags else [UnreadTags()] * len(found)
        pairs = zip(found, read, strict=True)
        return tuple(replace(one, partition=organization.partition, tags=own) for one, own in pairs)

    def _tags(self, where: Account, account: Account) -> dict[str, str]:
        # For each account anew: thousands of them may take longer than credentials last.
        with self._connections.organizations(where) as client, aws_errors(_NAME, "ListAccounts", denied=_DENIED):
            raw = _all(client, "list_tags_for_resource", "Tags", ResourceId=account.id)
            return {tag["Key"]: tag["Value"] for tag in raw}


def _complete(client: Any) -> list[Account]:
    """Return all accounts with their units; list again if one was moved meanwhile, and so was missed or met twice.

    A list that lacks an account would take access away from it.
    """
    for _ in range(_TRIES):
        found = list(_walk(client))
        ids = sorted(account.id for account in found)
        if ids == sorted(raw["Id"] for raw in _all(client, "list_accounts", "Accounts")):
            return found
    raise AwsError(
        _NAME, "ListAccounts", "Inconsistent", "the accounts of its units are not those that it lists",
        hint="somebody moves accounts at this moment: run the same command again",
    )  # fmt: skip


def _check(client: Any, organization: Organization) -> None:
    """Raise AwsError where this is another organization than the manifest says."""
    if not organization.id:
        return
    found = client.describe_organization()["Organization"]["Id"]
    if found != organization.id:
        raise AwsError(
            _NAME, "DescribeOrganization", "WrongOrganization",
            f"the manifest says that it is {organization.id}, but the credentials are of {found}",
            hint="mend `id`, `profile` or `assume_role` of the organization; nothing was read or changed",
        )  # fmt: skip


def _walk(client: Any) -> Iterator[Account]:
    """Yield the accounts of each unit, from the root down; an account lies in just one."""
    todo: list[tuple[tuple[str, ...], str]] = [((root["Id"],), "/") for root in _all(client, "list_roots", "Roots")]
    while todo:
        ou, units = todo.pop()
        for raw in _all(client, "list_accounts_for_parent", "Accounts", ParentId=ou[-1]):
            # Status is what State was called before (facts sheet 2.4).
            yield Account(raw.get("Name", ""), raw["Id"], ou=ou, units=units, state=raw.get("State") or raw["Status"])
        below = _all(client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=ou[-1])
        todo += [((*ou, raw["Id"]), f"{units.rstrip('/')}/{raw['Name']}") for raw in below]


def _all(client: Any, operation: str, key: str, **what: str) -> Iterator[_Raw]:
    # A page may be empty and not the last one; paginators go on until there is no token (facts sheet 2.4).
    for page in client.get_paginator(operation).paginate(**what):
        yield from page.get(key, [])
