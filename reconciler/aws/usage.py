"""Reads, for an audit, who the users and roles of accounts are and when roles were last used: one call a page.

GetAccountAuthorizationDetails says it of all of them (facts sheet 2.1, 8.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reconciler.aws.errors import aws_errors
from reconciler.aws.sessions import PARALLEL_ACCOUNTS, Connections
from reconciler.aws.threads import threads
from reconciler.errors import XgrantError
from reconciler.events import AccountRead
from reconciler.model import Account, AccountUse, PrincipalKind, RoleUse

_KINDS = ["User", "Group", "Role"]


def read_uses(connections: Connections, accounts: Iterable[Account]) -> dict[str, AccountUse]:
    """Return what each managed account says, by its name; of one that cannot be read, why."""
    found = {account.name: AccountUse(account) for account in accounts}
    managed = [account for account in accounts if account.managed]
    with threads(PARALLEL_ACCOUNTS, "usage") as pool:
        for number, use in enumerate(pool.map(lambda one: _read(connections, one), managed), start=1):
            found[use.account.name] = use
            connections.notify(AccountRead(use.account.name, number, len(managed)))
    return found


def _read(connections: Connections, account: Account) -> AccountUse:
    try:
        return connections.once_more(account, lambda iam: _details(account, iam))
    except XgrantError as error:
        return AccountUse(account, error=str(error))


def _details(account: Account, iam: Any) -> AccountUse:
    arns: dict[str, str] = {}
    groups: dict[str, frozenset[str]] = {}
    created: dict[tuple[PrincipalKind, str], str] = {}
    roles: dict[str, RoleUse] = {}
    pages = iam.get_paginator("get_account_authorization_details").paginate(
        Filter=_KINDS, PaginationConfig={"PageSize": 1000}
    )
    with aws_errors(account.name, "GetAccountAuthorizationDetails"):
        for page in pages:
            for user in page.get("UserDetailList", []):
                arns[user["UserId"]] = user["Arn"]
                groups[user["UserName"].casefold()] = frozenset(name.casefold() for name in user.get("GroupList", []))
                created[PrincipalKind.USER, user["UserName"].casefold()] = iso(user["CreateDate"])
            for group in page.get("GroupDetailList", []):
                created[PrincipalKind.GROUP, group["GroupName"].casefold()] = iso(group["CreateDate"])
            for role in page.get("RoleDetailList", []):
                arns[role["RoleId"]] = role["Arn"]
                roles[role["RoleName"].casefold()] = _role_use(role)
    created |= {(PrincipalKind.ROLE, name): role.created for name, role in roles.items()}
    return replace(AccountUse(account), arns=arns, groups=groups, created=created, roles=roles, read=True)


def _role_use(role: Mapping[str, Any]) -> RoleUse:
    last = role.get("RoleLastUsed", {})
    used = last.get("LastUsedDate")
    return RoleUse(role["RoleId"], iso(role["CreateDate"]), iso(used) if used else "", last.get("Region", ""))


def iso(time: datetime) -> str:
    """Return a time as events have theirs."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
