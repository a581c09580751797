"""Equal changes of many accounts as one: so a grant over hundreds of accounts can be reviewed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.model import Change

_SHOWN = 6
"""So many accounts, or values, are named; of more the number is said."""

_ACCOUNT = re.compile(r"(?<=::)\d{12}(?=:)")

Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """Changes that differ in nothing but the account: the first one, all accounts, and the lines below its title."""

    change: Change
    accounts: tuple[str, ...]
    body: Lines


def folded(changes: Iterable[tuple[Change, Lines]], ids: Mapping[str, str]) -> list[Folded]:
    """Fold changes, each with the lines below its title, in the order of their first ones.

    `ids` are those of the accounts, by their names: where there is more than one account, an account's own id and name
    are written `${account.id}` and `${account.name}` in the lines.
    """
    groups: dict[tuple[object, ...], list[tuple[Change, Lines]]] = {}
    for change, body in changes:
        address = change.address
        key = (change.action, address.kind, address.holder, address.name, change.grant, _general(change, body, ids))
        groups.setdefault(key, []).append((change, body))
    found: list[Folded] = []
    for members in groups.values():
        change, body = members[0]
        accounts = tuple(member.address.account for member, _ in members)
        found.append(Folded(change, accounts, body if len(members) == 1 else _general(change, body, ids)))
    return found


def _general(change: Change, body: Lines, ids: Mapping[str, str]) -> Lines:
    account = change.address.account
    lines = tuple(line.replace(f"in place of {account}/", "in place of ", 1) for line in body)
    if account not in ids or any("${account." in line for line in lines):
        # What looks like a variable already would not be told from one: such a change stands alone.
        return (*body, account)
    own_name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(account)}(?![A-Za-z0-9])")
    return tuple(own_name.sub("${account.name}", line).replace(ids[account], "${account.id}") for line in lines)


def named(accounts: tuple[str, ...]) -> str:
    """Return accounts as text: a few by their names, of more how many they are."""
    if len(accounts) <= _SHOWN:
        return ", ".join(accounts)
    return f"{', '.join(accounts[: _SHOWN - 1])} and {len(accounts) - _SHOWN + 1} more; --expand shows each"


def shortened(values: list[str]) -> list[str]:
    """Return values with those as one that differ in nothing but the account's id, where they are many."""
    alike: dict[str, list[str]] = {}
    for value in values:
        alike.setdefault(_ACCOUNT.sub("*", value), []).append(value)
    found: list[str] = []
    for several in alike.values():
        if len(several) > _SHOWN:
            found.append(f"{_ACCOUNT.sub(f'({len(several)} accounts)', several[0])}")
        else:
            found += several
    return found
