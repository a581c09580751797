"""Many files to one manifest: what is stated once, what is unique, and what each grant inherits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler.errors import Place, Problem
from reconciler.manifest.compile import GrantCompiler
from reconciler.manifest.schema import problems_of
from reconciler.manifest.source import Source
from reconciler.model import Access, Account, Grant, Manifest
from reconciler.policy.arn import name_error, path_error, split_path


def merge(sources: list[tuple[Source, Path]], problems: list[Problem]) -> Manifest | None:
    """Make one manifest of all files; append what is wrong to `problems`, None where no manifest can be made.

    A grant that the schema refuses is left out, so that the others are still checked.
    """
    broken = _broken(sources, problems)
    usable = [(source, root) for source, root in sources if isinstance(source.data, dict)]
    if not usable:
        return None
    stack = _stack(usable, problems)
    defaults = _defaults(usable, broken, problems)
    accounts = _accounts(usable, defaults.get("access", {}), broken, problems)
    grants = _grants(usable, defaults, accounts, broken, problems)
    problems.extend(_roles_claimed_twice(grants, usable))
    if stack is None or problems:
        return None
    return Manifest(stack, accounts, tuple(sorted(grants, key=lambda grant: grant.name)))


def _broken(sources: list[tuple[Source, Path]], problems: list[Problem]) -> set[tuple[str, str]]:
    """Append what the schema refuses; return the file and the part of it that cannot be used further."""
    broken: set[tuple[str, str]] = set()
    for source, _ in sources:
        for path, problem in problems_of(source):
            problems.append(problem)
            if len(path) >= 2 and path[0] in ("grants", "accounts"):
                broken.add((source.file, f"{path[0]}/{path[1]}"))
            elif path:
                broken.add((source.file, str(path[0])))
    return broken


def _grants(
    sources: list[tuple[Source, Path]],
    defaults: dict[str, Any],
    accounts: dict[str, Account],
    broken: set[tuple[str, str]],
    problems: list[Problem],
) -> list[Grant]:
    compiled: list[Grant] = []
    first: dict[str, Place] = {}
    for source, root in sources:
        compiler = GrantCompiler(source, root, defaults, accounts, problems)
        for name, raw in _section(source, "grants").items():
            place = source.key_place(("grants", name))
            if name in first:
                problems.append(
                    Problem("XG023", f"the grant {name} is declared before, at {first[name]}; rename one", place)
                )
            first.setdefault(name, place)
            if (source.file, f"grants/{name}") in broken or not isinstance(raw, dict):
                continue
            if (grant := compiler.compile(name, raw)) is not None:
                compiled.append(grant)
    return compiled


def _section(source: Source, name: str) -> dict[str, Any]:
    section = source.data.get(name)
    return section if isinstance(section, dict) else {}


def _stack(sources: list[tuple[Source, Path]], problems: list[Problem]) -> str | None:
    stated = [(s.data["stack"], s.place(("stack",))) for s, _ in sources if isinstance(s.data.get("stack"), str)]
    if not stated:
        if not any("stack" in source.data for source, _ in sources):
            message = "no file states the stack; add `stack: NAME`, the owner of all that these manifests make"
            problems.append(Problem("XG020", message, Place(sources[0][0].file)))
        return None
    name, first = stated[0]
    for other, place in stated[1:]:
        if other != name:
            message = f"the stack is {name} at {first}; one run has one stack, so state the same or leave it out"
            problems.append(Problem("XG020", message, place))
    return str(name)


def _defaults(
    sources: list[tuple[Source, Path]], broken: set[tuple[str, str]], problems: list[Problem]
) -> dict[str, Any]:
    stated = [source for source, _ in sources if "defaults" in source.data]
    for source in stated[1:]:
        message = f"defaults stand already in {stated[0].file}; they hold for all files, so keep one"
        problems.append(Problem("XG022", message, source.key_place(("defaults",))))
    if not stated or (stated[0].file, "defaults") in broken:
        return {}
    defaults = _section(stated[0], "defaults")
    problems.extend(_role_name_problems(defaults.get("access", {}), stated[0], ("defaults", "access")))
    return defaults


def _accounts(
    sources: list[tuple[Source, Path]],
    access: dict[str, Any],
    broken: set[tuple[str, str]],
    problems: list[Problem],
) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    names: dict[str, Place] = {}
    ids: dict[str, tuple[str, Place]] = {}
    for source, _ in sources:
        for name, raw in _section(source, "accounts").items():
            place = source.key_place(("accounts", name))
            if name in names:
                problems.append(
                    Problem("XG021", f"the account {name} is declared before, at {names[name]}; keep one", place)
                )
                continue
            names[name] = place
            if (source.file, f"accounts/{name}") in broken or not isinstance(raw, dict):
                # Keep the name known, so that its grants are not blamed too.
                accounts[name] = Account(name, "")
                continue
            account = _account(name, raw, access)
            problems.extend(_role_name_problems(raw, source, ("accounts", name)))
            if account.id in ids:
                other, first = ids[account.id]
                message = f"{account.id} is the account {other} already, at {first}; use one name for one account"
                problems.append(Problem("XG021", message, source.place(("accounts", name, "id"))))
            ids.setdefault(account.id, (name, place))
            accounts[name] = account
    return accounts


def _account(name: str, raw: dict[str, Any], default: dict[str, Any]) -> Account:
    own = raw if {"profile", "assume_role"} & set(raw) else default
    role = own.get("assume_role", {})
    return Account(
        name=name,
        id=raw["id"],
        managed=raw.get("managed", True),
        partition=raw.get("partition", "aws"),
        access=Access(own.get("profile"), role.get("name"), role.get("external_id")),
    )


def _role_name_problems(raw: dict[str, Any], source: Source, path: tuple[str, ...]) -> Iterable[Problem]:
    if "assume_role" not in raw:
        return
    folder, name = split_path(raw["assume_role"]["name"])
    if error := path_error(folder) or name_error("role", name):
        yield Problem("XG029", f"{error}", source.place((*path, "assume_role", "name")))


def _roles_claimed_twice(grants: list[Grant], sources: list[tuple[Source, Path]]) -> Iterable[Problem]:
    by_file = {source.file: source for source, _ in sources}
    claimed: dict[tuple[str, str], Grant] = {}
    for grant in grants:
        first = claimed.setdefault((grant.target, grant.role_name.casefold()), grant)
        if first is not grant and first.name != grant.name:
            message = (
                f"the role {grant.role_name} in account {grant.target} is the grant {first.name}'s already, at "
                f"{first.place}; give this grant another `to.role`"
            )
            place = by_file[grant.place.file].place(("grants", grant.name, "to", "role"))
            yield Problem("XG026", message, place)
