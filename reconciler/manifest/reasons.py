"""Why accounts that are said are not found: what was meant, and which part of it no account meets."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from reconciler.manifest.members import usable_name
from reconciler.model import Account
from reconciler.policy.document import listed
from reconciler.wording import few

_NAMED = 20
"""So many names are told of those that are declared."""


def unknown(
    name: str, accounts: Mapping[str, Account], groups: Collection[str], excluded: Collection[str], *, kept: bool
) -> str:
    """Say what to do about a name that neither an account nor a group has.

    `excluded` are names of accounts of the organization that the manifest leaves out; with `kept` there may be accounts
    of it that are newer than its list.
    """
    if name in excluded:
        where = "accounts.organization.exclude"
        return f"unknown account {name!r}; the organization has it, and {where} leaves it out; take it out there"
    known = sorted({*accounts, *groups})
    meant = _called_otherwise(name, accounts) or difflib.get_close_matches(name, known, n=1)
    declared = ", ".join(known[:_NAMED]) or "none"
    more = f" and {len(known) - _NAMED:,} more" if len(known) > _NAMED else ""
    hint = f"did you mean {few(meant)}? Else " if meant else ""
    new = "; if the organization has it since lately, `xgrant accounts` lists it anew" if kept else ""
    return f"unknown account {name!r}; {hint}declare it under accounts, or as a group (declared: {declared}{more}){new}"


def _called_otherwise(name: str, accounts: Mapping[str, Account]) -> list[str]:
    """Return what an account is called here of which the id, or the name in its organization, was written."""
    usable = usable_name(name)
    return [
        account.name
        for account in accounts.values()
        if name == account.id or (account.listed and account.name in (usable, f"{usable}-{account.id}"))
    ]


def unmet(criteria: Mapping[str, Any], found: Iterable[Account]) -> str:
    """Say which of the criteria none of the accounts meets; nothing where some meet all.

    They are looked at in the order in which a selection does, each among the accounts that meet the ones before.
    """
    left = list(found)
    for key, values in criteria.get("tags", {}).items():
        meeting = [account for account in left if account.tags.get(key) in listed(values)]
        if left and not meeting:
            return _no_tag(key, listed(values), left)
        left = meeting
    if "ou" in criteria:
        units = listed(criteria["ou"])
        if left and not any(unit in account.ou for account in left for unit in units):
            whom = "none of them" if "tags" in criteria or "accounts" in criteria else "no account"
            return f"{whom} lies in or below {few(units)}"
    return ""


def _no_tag(key: str, values: list[str], accounts: Iterable[Account]) -> str:
    there = sorted({account.tags[key] for account in accounts if key in account.tags})
    if not there:
        return f"none of the accounts has a tag {key!r}"
    return f"no account has the tag {key!r} with {' or '.join(map(repr, values))}; it has {few(there)}"
