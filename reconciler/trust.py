"""Who may assume the role of a grant, as a trust policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.model import Account, Grant, Principal, PrincipalKind, WebIdentity
from reconciler.policy.arn import iam_arn, root_arn
from reconciler.policy.canonical import one_or_list
from reconciler.policy.conditions import Conditions, joined
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.policy.permission_sets import KEY, OPERATOR, role_patterns
from reconciler.policy.sessions import ASSUME, further_actions
from reconciler.policy.web_identity import ACTION, provider_arn


def trust_policy(grant: Grant, accounts: Mapping[str, Account]) -> PolicyDocument:
    """Return the trust policy: exactly the named users and roles, the account root for groups or a whole account.

    A group cannot be a principal of a trust policy (facts sheet 6). Nor can a permission set, whose role has a name
    that changes: it has a statement of its own. The conditions of the grant stand in each statement.
    """
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": list(_statements(grant, accounts))})


def _statements(grant: Grant, accounts: Mapping[str, Account]) -> Iterator[dict[str, Any]]:
    if grant.web_identity is not None:
        yield _token(grant.web_identity, accounts[grant.target], grant.conditions)
    sets = _of_kind(grant, PrincipalKind.PERMISSION_SET)
    groups = _of_kind(grant, PrincipalKind.GROUP) if sets else ()
    others = {p.arn(accounts[p.account]) for p in grant.principals if p not in sets and p not in groups}
    if others:
        yield _assumed_by(others, grant.conditions)
    if groups:
        yield _assumed_by_users(groups, accounts, grant.conditions)
    if sets:
        yield _assumed_by_sets(sets, accounts, grant.conditions)


def _of_kind(grant: Grant, kind: PrincipalKind) -> tuple[Principal, ...]:
    return tuple(principal for principal in grant.principals if principal.kind is kind)


def _token(identity: WebIdentity, target: Account, conditions: Conditions) -> dict[str, Any]:
    provider = provider_arn(target.partition, target.id, identity.provider)
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": _actions(ACTION, conditions),
        "Condition": _block(joined(identity.conditions(), conditions)),
    }


def _assumed_by_users(
    groups: Iterable[Principal], accounts: Mapping[str, Account], conditions: Conditions
) -> dict[str, Any]:
    """Return the statement for groups that stand beside permission sets.

    The account's root alone would let in the roles of every permission set that may assume roles. A group has users
    only, so it is narrowed to these.
    """
    named = [accounts[principal.account] for principal in groups]
    roots = {root_arn(account.partition, account.id) for account in named}
    users = {iam_arn(account.partition, account.id, "user", "/", "*") for account in named}
    return _assumed_by(roots, joined({OPERATOR: {KEY: tuple(sorted(users))}}, conditions))


def _assumed_by_sets(
    sets: Iterable[Principal], accounts: Mapping[str, Account], conditions: Conditions
) -> dict[str, Any]:
    """Return the one statement for the permission sets of all source accounts.

    A pattern has its account in it, so each account is narrowed to its own roles, and a trust policy, of which 2,048
    characters have to do, names the rest once.
    """
    named = [(accounts[principal.account], principal) for principal in sets]
    roots = {principal.arn(account) for account, principal in named}
    patterns = [p for account, one in named for p in role_patterns(account.partition, account.id, one.name)]
    return _assumed_by(roots, joined({OPERATOR: {KEY: tuple(sorted(patterns))}}, conditions))


def _assumed_by(principals: Iterable[str], conditions: Conditions) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": one_or_list(sorted(principals))},
        "Action": _actions(ASSUME, conditions),
    }
    return {**statement, "Condition": _block(conditions)} if conditions else statement


def _actions(action: str, conditions: Conditions) -> str | list[str]:
    return one_or_list([action, *further_actions(conditions)])


def _block(conditions: Conditions) -> dict[str, Any]:
    return {
        operator: {key: one_or_list(list(values)) for key, values in keys.items()}
        for operator, keys in conditions.items()
    }
