"""The accounts of all files, and of the organization, by name; and the groups of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.errors import Place, Problem
from reconciler.manifest.lacking import VariableProblems
from reconciler.manifest.members import SameNameError, joined
from reconciler.manifest.selection import Selection, SelectionError
from reconciler.manifest.source import PathTo, Source
from reconciler.manifest.variables import VariableError, Variables
from reconciler.model import Access, Account, Hub, Organization, StatedTags, UnresolvedError
from reconciler.policy.arn import PARTITIONS, external_id_error, name_error, path_error, split_path

_ORGANIZATION = "organization"
"""What stands among the accounts and is none."""

_WAYS = ("profile", "assume_role", "plan", "apply", "hub")
"""The keys that say how an account is reached."""

_Said = dict[str, tuple[Any, Source, PathTo]]
"""What is said under such a key, with the source, and the path below which it stands there."""


def _stated(
    sources: list[tuple[Source, Path]], problems: list[Problem]
) -> tuple[dict[str, Account], dict[str, Source]]:
    """Return the accounts by name, without how they are reached; and where each stands that could be used."""
    accounts: dict[str, Account] = {}
    names: dict[str, Place] = {}
    ids: dict[str, tuple[str, Place]] = {}
    usable: dict[str, Source] = {}
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
            account = _account(name, raw)
            if account.id in ids:
                other, first = ids[account.id]
                message = f"{account.id} is the account {other} already, at {first}; use one name for one account"
                problems.append(Problem("XG021", message, source.place(("accounts", name, "id"))))
            ids.setdefault(account.id, (name, place))
            accounts[name], usable[name] = account, source
    return accounts, usable


def organization_of(sources: list[tuple[Source, Path]], problems: list[Problem]) -> Organization | None:
    """Return where accounts are listed, if one file says so."""
    stated = [source for source, _ in sources if _ORGANIZATION in section(source, "accounts")]
    for source in stated[1:]:
        message = f"the organization stands already in {stated[0].file}; keep one"
        problems.append(Problem("XG048", message, source.key_place(("accounts", _ORGANIZATION))))
    if not stated:
        return None
    raw = section(stated[0], "accounts")[_ORGANIZATION]
    problems.extend(_with_variables(raw, stated[0]) or access_problems(raw, stated[0], ("accounts", _ORGANIZATION)))
    return Organization(
        _access(raw),
        id=raw.get("id", ""),
        account=raw.get("assume_role", {}).get("account", ""),
        partition=raw.get("partition", "aws"),
        refresh=_seconds(raw.get("refresh")),
    )


def _with_variables(raw: Mapping[str, Any], source: Source) -> list[Problem]:
    """Return a problem for each string of the organization that has a variable of accounts, of which none is known."""
    found: list[Problem] = []

    def refuse(at: PathTo, variable: object) -> None:
        message = f"{variable}: no variables stand here, since the organization is asked before its accounts are known"
        found.append(Problem("XG047", message, source.place(("accounts", _ORGANIZATION, *at))))

    def look(value: Any, at: PathTo) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                look(inner, (*at, key))
        elif "${" in str(value):
            refuse(at, value)

    look(raw, ())
    return found


def all_accounts(
    sources: list[tuple[Source, Path]], defaults: Source, listed: tuple[Account, ...], problems: list[Problem], *,
    unasked: bool,
) -> tuple[dict[str, Account], tuple[Account, ...], frozenset[str]]:  # fmt: skip
    """Return the accounts by name, those that the files state first; and of the organization those that nobody can use.

    At last come the names of those that the files exclude. An account is reached as the defaults say, unless a file
    says it of the account. With `unasked` there is an
    organization that was not asked, and may know more tags of each.
    """
    groups = {str(name) for source, _ in sources for name in section(source, "account_groups")}
    stated, where = _stated(sources, problems)
    if unasked:
        stated = {name: replace(account, tags=StatedTags(account.tags)) for name, account in stated.items()}
    try:
        found, inactive = joined(stated, listed, groups)
    except SameNameError as error:
        problems += [
            Problem("XG021", str(error), source.key_place((part, error.name)))
            for source, _ in sources
            for part in ("accounts", "account_groups")
            if error.name in section(source, part)
        ]
        return stated, (), frozenset()
    excluded = _excluded(sources, (*found.values(), *inactive), problems, unasked=unasked) - {*where}
    found = {name: account for name, account in found.items() if name not in excluded}
    inactive = tuple(account for account in inactive if account.name not in excluded)
    problems += _units_contradicted(stated, where, (*found.values(), *inactive))
    # Only now all is known that their variables may stand for.
    ways = _Ways(defaults, where)
    accounts = {name: ways.reached(account) if account.id else account for name, account in found.items()}
    inactive = tuple(ways.reached(account) if account.name in where else account for account in inactive)
    problems += ways.problems()
    return accounts, inactive, excluded


def _excluded(
    sources: list[tuple[Source, Path]], accounts: Iterable[Account], problems: list[Problem], *, unasked: bool
) -> frozenset[str]:
    """Return the names of the organization's accounts that are excluded, by name, by id or by a unit above them."""
    listed = [account for account in accounts if account.listed]
    found: set[str] = set()
    for source, _ in sources:
        for index, entry in enumerate(section(source, "accounts").get(_ORGANIZATION, {}).get("exclude", [])):
            meant = {one.name for one in listed if entry in (one.name, one.id, *one.ou)}
            if not meant and not unasked:
                message = (
                    f"the organization has no account and no unit {entry!r} with accounts; mend it, or leave it out"
                )
                place = source.place(("accounts", _ORGANIZATION, "exclude", index))
                problems.append(Problem("XG024", message, place))
            found |= meant
    return frozenset(found)


def _units_contradicted(
    stated: Mapping[str, Account], where: Mapping[str, Source], found: Iterable[Account]
) -> Iterable[Problem]:
    """Yield each unit that is stated of an account and is none of those in which the organization has it."""
    for account in found:
        if account.listed and account.name in where and not {*stated[account.name].ou} <= {*account.ou}:
            message = (
                f"the organization has {account.name} in {', '.join(account.ou)}; leave this out, which is for "
                "accounts that it does not list"
            )
            yield Problem("XG049", message, where[account.name].place(("accounts", account.name, "ou")))


class _Ways:
    """How accounts are reached; `where` each stands that a file states."""

    def __init__(self, defaults: Source, where: Mapping[str, Source]) -> None:
        self._defaults = defaults
        self._where = where
        self._variables = VariableProblems()
        self._problems: list[Problem] = []

    def reached(self, account: Account) -> Account:
        """Return the account with the way to it; without one, where only the organization knows it."""
        said = self._said(account)
        unknown: list[UnresolvedError] = []

        def place(at: PathTo) -> Place:
            _, source, path = said[str(at[0])]
            return source.place((*path, *at))

        def wrong(at: PathTo, error: VariableError | UnresolvedError) -> None:
            self._variables.note(place(at), error)
            if isinstance(error, UnresolvedError):
                unknown.append(error)

        filled = Variables(account, account, ()).fill({key: value for key, (value, _, _) in said.items()}, wrong)
        if unknown:
            return account
        self._problems += _access_problems(filled, place, account.partition)
        apply_access = _access(filled, "apply") if "apply" in filled else None
        return replace(account, access=_access(filled), apply_access=apply_access)

    def _said(self, account: Account) -> _Said:
        stated = section(self._defaults, "defaults").get("access", {})
        default: _Said = {key: (value, self._defaults, ("defaults", "access")) for key, value in stated.items()}
        source = self._where.get(account.name)
        if source is None:
            return default
        stated = section(source, "accounts")[account.name]
        own: _Said = {key: (stated[key], source, ("accounts", account.name)) for key in _WAYS if key in stated}
        # Whichever role it is of an account, it trusts the hub of all.
        said = {**{key: value for key, value in default.items() if key == "hub"}, **own} if own else default
        return {key: value for key, value in said.items() if value[0] is not None}

    def problems(self) -> list[Problem]:
        """Return what is wrong with them; what is so with many accounts once."""
        return [*dict.fromkeys(self._problems), *self._variables.problems()]


def default_access(defaults: Source) -> Access:
    """Return how an account is reached of which nothing is known; it is empty where variables would have to say it."""
    stated = section(defaults, "defaults").get("access", {})
    return Access() if "${" in str(stated) else _access(stated)


def selection_of(
    sources: list[tuple[Source, Path]], accounts: dict[str, Account], problems: list[Problem], *, unasked: bool,
    inactive: tuple[Account, ...], excluded: frozenset[str], kept: bool,
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
    selection = Selection(accounts, groups, unasked=unasked, inactive=inactive, excluded=excluded, kept=kept)
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


def _account(name: str, raw: dict[str, Any]) -> Account:
    return Account(
        name=name,
        id=raw["id"],
        managed=raw.get("managed", True),
        partition=raw.get("partition", "aws"),
        tags=raw.get("tags", {}),
        ou=(raw["ou"],) if "ou" in raw else (),
    )


def _access(stated: dict[str, Any], verb: str = "plan") -> Access:
    role = stated.get("assume_role", {})
    both = {"profile": stated.get("profile"), "role": role.get("name"), "external_id": role.get("external_id")}
    way = stated.get(verb, both)
    hub = way.get("hub", stated.get("hub")) if way.get("role") else None
    return Access(way.get("profile"), way.get("role"), way.get("external_id"), Hub(**hub) if hub else None)


def _seconds(text: str | None) -> int:
    """Return a time of the schema's form in seconds; none is 0."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]] if text else 0


def access_problems(raw: Mapping[str, Any], source: Source, path: PathTo) -> list[Problem]:
    """Return what is wrong, whatever the account is, with how one is reached; it stands at a path."""
    found = VariableProblems()

    def place(at: PathTo) -> Place:
        return source.place((*path, *at))

    filled = Variables(None, None, ()).fill(raw, lambda at, error: found.note(place(at), error))
    return found.judged(_access_problems(filled, place))


def _access_problems(
    filled: Mapping[str, Any], place: Callable[[PathTo], Place], partition: str | None = None
) -> Iterable[Problem]:
    """Yield what is wrong with how an account is reached; its partition is None where it is not known."""
    for key, inner in (("assume_role", "name"), ("plan", "role"), ("apply", "role")):
        if inner in filled.get(key, {}):
            folder, name = split_path(filled[key][inner])
            if error := path_error(folder) or name_error("role", name):
                yield Problem("XG029", f"{error}", place((key, inner)))
    for key in ("assume_role", "plan", "apply", "hub"):
        if error := external_id_error(filled.get(key, {}).get("external_id")):
            yield Problem("XG013", error, place((key, "external_id")))
    if "hub" in filled:
        by_role = "assume_role" in filled or any("role" in filled.get(key, {}) for key in ("plan", "apply"))
        yield from _hub_problems(filled["hub"]["arn"], place(("hub", "arn")), partition if by_role else None)
    for key in ("plan", "apply"):
        if hub := filled.get(key, {}).get("hub"):
            if error := external_id_error(hub.get("external_id")):
                yield Problem("XG013", error, place((key, "hub", "external_id")))
            yield from _hub_problems(hub["arn"], place((key, "hub", "arn")), partition)


def _hub_problems(arn: str, place: Place, partition: str | None) -> Iterable[Problem]:
    of_hub, role = arn.split(":")[1], arn.split(":role/", 1)[1]
    folder, name = split_path(role)
    if of_hub not in PARTITIONS:
        message = f"there is no partition {of_hub}; AWS has {', '.join(PARTITIONS)}"
        yield Problem("XG013", message, place)
    elif partition not in (None, of_hub):
        message = (
            f"the hub is in partition {of_hub} and an account that is reached through it in {partition}; AWS lets no "
            "role be assumed across partitions, so give those accounts a hub or a way of their own"
        )
        yield Problem("XG035", message, place)
    if error := path_error(folder) or name_error("role", name):
        yield Problem("XG029", f"{error}; this is {role!r}", place)


def section(source: Source, name: str) -> dict[str, Any]:
    """Return a part of a file; an empty one where there is none, or none that can be used."""
    found = source.data.get(name)
    return found if isinstance(found, dict) else {}
