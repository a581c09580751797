"""Equal changes of many accounts as one: so a grant over hundreds of accounts can be reviewed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from reconciler.model import Change

_SHOWN = 6
"""So many accounts, or values, are named; of more the number is said."""

_RESOURCE = re.compile(r"(Resource: arn:[a-z-]+:iam::)(\d{12})(:role/.*)")

Line = tuple[str, int, str]
"""Mark, depth and text."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Changes that differ in nothing but the account: the first one, all accounts, and the lines below its title."""

    change: Change
    accounts: tuple[str, ...]
    body: tuple[Line, ...]


def folded(changes: Iterable[tuple[Change, tuple[Line, ...]]], ids: Mapping[str, str]) -> list[Folded]:
    """Fold changes, each with the lines below its title, in the order of their first ones.

    `ids` are those of the accounts, by their names: where there is more than one account, an account's own id and name
    are written `${account.id}` and `${account.name}` in the lines.
    """
    groups: dict[tuple[object, ...], list[tuple[Change, tuple[Line, ...]]]] = {}
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


def _general(change: Change, body: tuple[Line, ...], ids: Mapping[str, str]) -> tuple[Line, ...]:
    account = change.address.account
    if account not in ids or any("${account." in words for _, _, words in body):
        # What looks like a variable already would not be told from one: such a change stands alone.
        return (*body, (" ", 0, account))
    own_name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(account)}(?![A-Za-z0-9])")

    def general(words: str) -> str:
        words = words.replace(f"in place of {account}/", "in place of ", 1)
        return own_name.sub("${account.name}", words).replace(ids[account], "${account.id}")

    return tuple((mark, depth, general(words)) for mark, depth, words in body)


def named(accounts: tuple[str, ...]) -> str:
    """Return accounts as text: a few by their names, of more how many they are."""
    if len(accounts) <= _SHOWN:
        return ", ".join(accounts)
    return f"{', '.join(accounts[: _SHOWN - 1])} and {len(accounts) - _SHOWN + 1} more; --expand shows each"


def shortened(lines: Iterable[Line], known: frozenset[str]) -> list[Line]:
    """Return the lines with those as one that name one role in many accounts, as a caller policy does.

    Only lines that stand together are one, and only accounts whose ids are `known`. Who is trusted is never shortened.
    """
    shown: list[Line] = []
    for (mark, depth, general), together in groupby(lines, key=lambda line: (*line[:2], _general_role(line[2], known))):
        several = list(together)
        if general and len(several) > _SHOWN:
            shown.append((mark, depth, general.replace("*", f"({len(several)} accounts)", 1)))
        else:
            shown += several
    return shown


def _general_role(words: str, known: frozenset[str]) -> str:
    """Return a line that names a role with a star for its account; nothing for any other line."""
    found = _RESOURCE.fullmatch(words)
    return f"{found.group(1)}*{found.group(3)}" if found is not None and found.group(2) in known else ""
