"""The accounts of all files, and of the organization, by name; and the groups of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.errors import Place, Problem
from reconciler.manifest.members import SameNameError, joined
from reconciler.manifest.selection import Selection, SelectionError, UnresolvedError
from reconciler.manifest.source import PathTo, Source
from reconciler.manifest.variables import Variables, Wrong
from reconciler.model import Access, Account, Organization
from reconciler.policy.arn import name_error, path_error, split_path

_ORGANIZATION = "organization"
"""What stands among the accounts and is none."""


def _stated(sources: list[tuple[Source, Path]], defaults: Source, problems: list[Problem]) -> dict[str, Account]:
    access = section(defaults, "defaults").get("access", {})
    accounts: dict[str, Account] = {}
    names: dict[str, Place] = {}
    ids: dict[str, tuple[str, Place]] = {}
    for source, _ in sources:
        # One that the schema has refused is still known by its name, so that its grants are not blamed too.
        stated = [str(path[1]) for path in source.keys if len(path) == 2 and path[0] == "accounts"]
        for name in stated:
            if name == _ORGANIZATION:
                continue
            place = source.key_place(("accounts", name))
            if name in names:
                problems.append(
                    Problem("XG021", f"the account {name} is declared before, at {names[name]}; keep one", place)
                )
                continue
            names[name] = place
            raw = section(source, "accounts").get(name)
            if raw is None:
                accounts[name] = Account(name, "")
                continue
            account = _account(name, raw, access, _wrong_access(name, source, defaults, problems))
            problems.extend(role_name_problems(raw, source, ("accounts", name)))
            if account.id in ids:
                other, first = ids[account.id]
                message = f"{account.id} is the account {other} already, at {first}; use one name for one account"
                problems.append(Problem("XG021", message, source.place(("accounts", name, "id"))))
            ids.setdefault(account.id, (name, place))
            accounts[name] = account
    return accounts


def organization_of(sources: list[tuple[Source, Path]], problems: list[Problem]) -> Organization | None:
    """Return where accounts are listed, if one file says so."""
    stated = [source for source, _ in sources if _ORGANIZATION in section(source, "accounts")]
    for source in stated[1:]:
        message = f"the organization stands already in {stated[0].file}; keep one"
        problems.append(Problem("XG048", message, source.key_place(("accounts", _ORGANIZATION))))
    if not stated:
        return None
    raw = section(stated[0], "accounts")[_ORGANIZATION]
    problems.extend(role_name_problems(raw, stated[0], ("accounts", _ORGANIZATION)))
    return Organization(
        _access(raw),
        id=raw.get("id", ""),
        account=raw.get("assume_role", {}).get("account", ""),
        partition=raw.get("partition", "aws"),
        refresh=_seconds(raw.get("refresh")),
    )


def all_accounts(
    sources: list[tuple[Source, Path]], defaults: Source, listed: tuple[Account, ...], problems: list[Problem]
) -> tuple[dict[str, Account], tuple[Account, ...]]:
    """Return the accounts by name, those that the files state first, and those of the organization that nobody can use.

    What the organization lists is reached as the defaults say, unless a file states the account.
    """
    groups = {str(name) for source, _ in sources for name in section(source, "account_groups")}
    stated = _stated(sources, defaults, problems)
    try:
        found, inactive = joined(stated, listed, groups)
    except SameNameError as error:
        problems += [
            Problem("XG021", str(error), source.key_place((part, error.name)))
            for source, _ in sources
            for part in ("accounts", "account_groups")
            if error.name in section(source, part)
        ]
        return stated, ()
    access = section(defaults, "defaults").get("access", {})
    accounts: dict[str, Account] = {}
    for name, account in found.items():
        if account.listed and account.access == Access():
            filled = Variables(account, account, ()).fill(access, _wrong_access(name, defaults, defaults, problems))
            accounts[name] = replace(account, access=_access(filled))
        else:
            accounts[name] = account
    return accounts, inactive


def default_access(defaults: Source) -> Access:
    """Return how an account is reached of which nothing is known; it is empty where variables would have to say it."""
    stated = section(defaults, "defaults").get("access", {})
    return Access() if "${" in str(stated) else _access(stated)


def selection_of(
    sources: list[tuple[Source, Path]], accounts: dict[str, Account], problems: list[Problem], *, unasked: bool,
    inactive: tuple[Account, ...],
) -> tuple[Selection, dict[str, frozenset[str]]]:  # fmt: skip
    """Return what finds accounts by name and criteria, and the accounts of each group; see `Selection`."""
    groups: dict[str, Any] = {}
    places: dict[str, tuple[Source, Place]] = {}
    for source, _ in sources:
        for name, stated in section(source, "account_groups").items():
            place = source.key_place(("account_groups", name))
            if name in accounts:
                message = f"{name} is an account already; give the group another name"
                problems.append(Problem("XG045", message, place))
            elif name in groups:
                message = f"the group {name} is declared before, at {places[name][1]}; keep one"
                problems.append(Problem("XG045", message, place))
            else:
                groups[name], places[name] = stated, (source, place)
    selection = Selection(accounts, groups, unasked=unasked, inactive=inactive)
    members: dict[str, frozenset[str]] = {}
    for name, (source, _) in places.items():
        try:
            members[name] = selection.members(name)
        except UnresolvedError:
            continue
        except SelectionError as error:
            place = source.place(("account_groups", name, *error.path))
            problems.append(Problem(error.code, str(error), place))
    return selection, members


def _account(name: str, raw: dict[str, Any], default: dict[str, Any], wrong: Wrong) -> Account:
    account = Account(
        name=name,
        id=raw["id"],
        managed=raw.get("managed", True),
        partition=raw.get("partition", "aws"),
        tags=raw.get("tags", {}),
        ou=(raw["ou"],) if "ou" in raw else (),
    )
    own = raw if {"profile", "assume_role"} & set(raw) else default
    return replace(account, access=_access(Variables(account, account, ()).fill(own, wrong)))


def _access(stated: dict[str, Any]) -> Access:
    role = stated.get("assume_role", {})
    return Access(stated.get("profile"), role.get("name"), role.get("external_id"))


def _seconds(text: str | None) -> int:
    """Return a time of the schema's form in seconds; none is 0."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]] if text else 0


def _wrong_access(name: str, source: Source, defaults: Source, problems: list[Problem]) -> Wrong:
    """Return what notes that a variable is wrong: where the account says how it is reached, else in the defaults."""

    def wrong(path: PathTo, message: str) -> None:
        own = ("accounts", name, *path)
        place = source.place(own) if own in source.values else defaults.place(("defaults", "access", *path))
        problems.append(Problem("XG047", message, place))

    return wrong


def role_name_problems(raw: dict[str, Any], source: Source, path: tuple[str, ...]) -> Iterable[Problem]:
    """Yield what is wrong with the name of a role that is to be assumed, said below a path."""
    if "assume_role" not in raw:
        return
    # What an account's name or id can make of a variable is a part of a name, too.
    stated = Variables(None, None, ()).fill(raw["assume_role"]["name"], lambda *_: None)
    folder, name = split_path(stated)
    if error := path_error(folder) or name_error("role", name):
        yield Problem("XG029", f"{error}", source.place((*path, "assume_role", "name")))


def section(source: Source, name: str) -> dict[str, Any]:
    """Return a part of a file; an empty one where there is none, or none that can be used."""
    found = source.data.get(name)
    return found if isinstance(found, dict) else {}
