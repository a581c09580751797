"""The accounts of an organization as accounts of the manifest: with names that grants can use, and a way to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.model import ACTIVE, Account

_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 64
_LIKE_AN_ID = re.compile(r"-[0-9]{12}$")
_RESERVED = "organization"


class SameNameError(Exception):
    """A name that the manifest gives to an account or a group is the one that another account gets."""

    def __init__(self, name: str, account_id: str) -> None:
        super().__init__(f"{name} is the name of the account {account_id} of the organization; give this another name")
        self.name = name


def joined(
    stated: Mapping[str, Account], listed: Iterable[Account], taken: Iterable[str]
) -> tuple[dict[str, Account], tuple[Account, ...]]:
    """Return all accounts by name, those that are stated first, and those of the organization that cannot be used.

    One that is stated and listed has its name, its access and its tags from the manifest, and the rest from the
    organization. A name that two accounts have, that is among `taken`, or ends as an id does, gets the id behind it.

    Raises:
        SameNameError: that name is stated, too.

    """
    by_id = {account.id: account for account in listed}
    accounts: dict[str, Account] = {}
    inactive: list[Account] = []
    for name, account in stated.items():
        found = by_id.pop(account.id, None)
        if found is not None:
            tags = {**found.tags, **account.tags} if account.tags else found.tags
            account = replace(account, tags=tags, ou=found.ou, units=found.units, state=found.state, listed=True)
            if account.state != ACTIVE:
                inactive.append(account)
                continue
        accounts[name] = account
    taken = {*stated, *taken, _RESERVED}
    rest = sorted(by_id.values(), key=lambda one: one.id)
    names = Counter(usable_name(account.name) for account in rest)
    for account in rest:
        name = usable_name(account.name)
        if names[name] > 1 or name in taken or _LIKE_AN_ID.search(name):
            # No account of the organization can call itself so.
            name = f"{name[: _LONGEST - 13]}-{account.id}"
        if name in taken:
            raise SameNameError(name, account.id)
        member = replace(account, name=name, listed=True)
        if account.state == ACTIVE:
            accounts[name] = member
        else:
            inactive.append(member)
    return accounts, tuple(sorted(inactive, key=lambda one: one.id))


def usable_name(text: str) -> str:
    """Return a name of the organization as a grant can write it."""
    return _OTHER.sub("-", text).strip("-._")[:_LONGEST] or "account"
