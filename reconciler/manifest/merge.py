"""Many files to one manifest: what is stated once, what is unique, and what each grant inherits."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.endings import with_ends
from reconciler.errors import Place, Problem
from reconciler.manifest.accounts import (
    access_problems,
    all_accounts,
    default_access,
    organization_of,
    section,
    selection_of,
)
from reconciler.manifest.compile import GrantCompiler
from reconciler.manifest.rollout import rollout_of
from reconciler.manifest.schema import problems_of
from reconciler.manifest.selection import Selection
from reconciler.manifest.source import PathTo, Source
from reconciler.manifest.times import expiry_notice_of
from reconciler.model import Account, Grant, Limits, Manifest, Organization, working_roles
from reconciler.policy.instants import instant_text

Files = list[tuple[Source, Path]]
"""Files that are mappings, without what the schema refuses in them; each with the folder that it may read from."""


def usable_parts(sources: Iterable[tuple[Source, Path]]) -> tuple[Files, tuple[Problem, ...]]:
    """Return what can be used of all files, and what the schema refuses in them."""
    files: Files = []
    refused: list[Problem] = []
    no_mappings: list[Problem] = []
    for source, root in sources:
        if isinstance(source.data, dict):
            files.append((_without_refused(source, refused), root))
        else:
            no_mappings += [problem for _, problem in problems_of(source)]
    return files, (*refused, *no_mappings)


def merge(
    usable: Files, refused: Iterable[Problem], problems: list[Problem], listed: tuple[Account, ...] | None = None
) -> Manifest | None:
    """Make one manifest of all files; append what is wrong to `problems`, None where no manifest can be made.

    `usable` and `refused` are what `usable_parts` returns: what the schema refuses is left out, so that the rest is
    still checked. If `problems` is not empty at the start, a file could not be read: what is not declared may be
    declared there. `listed` are the accounts of the organization, None where it was not asked.

    Raises:
        UnreadTagsError: the tags of the accounts are needed, and were not read.

    """
    complete = not problems
    problems.extend(refused)
    if not usable:
        return None
    stack = _stack(usable, problems, complete=complete)
    defaults = _defaults(usable, problems)
    limits = _limits(usable, problems)
    store = _store(usable, problems)
    notice = expiry_notice_of(usable, problems)
    organization = organization_of(usable, problems)
    unasked = organization is not None and listed is None
    accounts, inactive, excluded = all_accounts(usable, defaults, listed or (), problems, unasked=unasked)
    found = None
    if complete:
        found = selection_of(
            usable, accounts, problems, unasked=unasked, inactive=inactive, excluded=excluded,
            kept=organization is not None and organization.refresh > 0,
        )  # fmt: skip
    rollout = rollout_of(usable, found[0] if found else None, problems)
    grants, unresolved = _grants(usable, defaults, found[0] if found else None, problems)
    problems.extend(_roles_claimed_twice(grants, usable))
    problems.extend(_moved_wrongly(grants, usable))
    problems.extend(_of_working_roles(grants, accounts, organization, usable))
    problems.extend(_kept_without_callers(grants, accounts, usable))
    if stack is None or problems:
        return None
    mfa = section(defaults, "defaults").get("require", {}).get("mfa", False)
    ordered = tuple(sorted(grants, key=lambda grant: (grant.name, grant.target)))
    return Manifest(
        stack, accounts, ordered, limits, rollout, store=store, inherits_mfa=mfa, organization=organization,
        inactive=inactive, default_access=default_access(defaults),
        groups=found[1] if found else {}, unresolved=unresolved, expiry_notice=notice,
    )  # fmt: skip


def _without_refused(source: Source, problems: list[Problem]) -> Source:
    """Append what the schema refuses; return the source without the parts that are refused.

    Of a grant goes the key that is wrong (below `from`, `to` and `inline_policies`, the key of theirs), of an account
    all of it. What lacks a key stays, and whoever needs the key asks for it; so does a grant that says two things.
    """
    wrong = problems_of(source)
    data = copy.deepcopy(source.data) if wrong else source.data
    for path, problem in wrong:
        if len(path) < 2 or path[0] != "grants":
            problems.append(problem)
            _drop(data, path[:2])
            continue
        problems.append(replace(problem, grant=str(path[1])))
        if len(path) > 2 or not isinstance(source.data["grants"][path[1]], dict):
            _drop(data, path[: 4 if path[2:3] in (("from",), ("to",), ("inline_policies",)) else 3])
    return replace(source, data=data)


def _drop(data: Any, path: PathTo) -> None:
    for key in path[:-1]:
        data = data.get(key) if isinstance(data, dict) else None
    if path and isinstance(data, dict):
        data.pop(path[-1], None)


def _grants(
    sources: list[tuple[Source, Path]],
    defaults: Source,
    selection: Selection | None,
    problems: list[Problem],
) -> tuple[list[Grant], tuple[str, ...]]:
    compiled: list[Grant] = []
    unresolved: list[str] = []
    first: dict[str, Place] = {}
    GrantCompiler(defaults, Path(), defaults, None, problems).check_defaults()
    for source, root in sources:
        compiler = GrantCompiler(source, root, defaults, selection, problems)
        for name, raw in section(source, "grants").items():
            place = source.key_place(("grants", name))
            if name in first:
                # At both, since either may be the newer one: what shows problems at changed lines shows it then.
                for here, other in ((first[name], place), (place, first[name])):
                    message = f"the grant {name} is declared at {other}, too; rename one"
                    problems.append(Problem("XG023", message, here, name))
            first.setdefault(name, place)
            compiled += compiler.compile(name, raw)
        unresolved += compiler.unresolved
    return compiled, tuple(sorted(set(unresolved)))


def _stack(sources: list[tuple[Source, Path]], problems: list[Problem], *, complete: bool) -> str | None:
    stated = [(str(s.data["stack"]), s.place(("stack",))) for s, _ in sources if "stack" in s.data]
    if not stated:
        if complete and not any(("stack",) in source.keys for source, _ in sources):
            message = "no file states the stack; add `stack: NAME`, the owner of all that these manifests make"
            problems.append(Problem("XG020", message, Place(sources[0][0].file)))
        return None
    # Nobody knows which one is the mistake: it is said of those that are fewer, and of all where none are.
    often = Counter(name for name, _ in stated)
    most = max(often.values())
    for name, place in stated:
        usual = next(((other, at) for other, at in stated if other != name and often[other] == most), None)
        if usual is not None and (often[name] < most or list(often.values()).count(most) > 1):
            message = f"the stack is {usual[0]} at {usual[1]}; one run has one stack, so state the same or leave it out"
            problems.append(Problem("XG020", message, place))
    return stated[0][0]


def _defaults(sources: list[tuple[Source, Path]], problems: list[Problem]) -> Source:
    """Return the source whose defaults hold; one without any if none has them."""
    stated = [source for source, _ in sources if "defaults" in source.data]
    for source in stated[1:]:
        message = f"defaults stand already in {stated[0].file}; they hold for all files, so keep one"
        problems.append(Problem("XG022", message, source.key_place(("defaults",))))
    if not stated:
        return Source(sources[0][0].file, {}, {}, {})
    access = section(stated[0], "defaults").get("access", {})
    problems.extend(access_problems(access, stated[0], ("defaults", "access")))
    return stated[0]


def _limits(sources: list[tuple[Source, Path]], problems: list[Problem]) -> Limits:
    """Return the limits that one file states; what it leaves out is as usual."""
    stated = [source for source, _ in sources if "limits" in source.data]
    for source in stated[1:]:
        message = f"limits stand already in {stated[0].file}; they hold for all files, so keep one"
        problems.append(Problem("XG038", message, source.key_place(("limits",))))
    return Limits(**section(stated[0], "limits")) if stated else Limits()


def _store(sources: list[tuple[Source, Path]], problems: list[Problem]) -> str:
    """Return the store that one file states; empty if none does."""
    stated = [source for source, _ in sources if "store" in source.data]
    for source in stated[1:]:
        message = f"the store stands already in {stated[0].file}; it holds for all files, so keep one"
        problems.append(Problem("XG043", message, source.key_place(("store",))))
    return str(stated[0].data["store"]) if stated else ""


def _roles_claimed_twice(grants: list[Grant], sources: list[tuple[Source, Path]]) -> Iterable[Problem]:
    by_file = {source.file: source for source, _ in sources}
    claimed: dict[tuple[str, str], Grant] = {}
    said: set[tuple[str, str]] = set()
    for grant in grants:
        first = claimed.setdefault((grant.target, grant.role_name.casefold()), grant)
        if first.name != grant.name and (first.name, grant.name) not in said:
            said.add((first.name, grant.name))
            message = (
                f"the role {grant.role_name} in account {grant.target} is the grant {first.name}'s already, at "
                f"{first.place}; give this grant another `to.role`"
            )
            place = by_file[grant.place.file].place(("grants", grant.name, "to", "role"))
            yield Problem("XG026", message, place, grant.name)


def _of_working_roles(
    grants: list[Grant], accounts: dict[str, Account], organization: Organization | None,
    sources: list[tuple[Source, Path]],
) -> Iterable[Problem]:  # fmt: skip
    """Yield each grant whose role is one that xgrant works with, and whose trust and permissions it would take away."""
    by_file = {source.file: source for source, _ in sources}
    working = working_roles(accounts.values(), organization)
    said: set[str] = set()
    for grant in grants:
        target = accounts[grant.target]
        if target.managed and grant.name not in said and (target.id, grant.role_name.casefold()) in working:
            said.add(grant.name)
            message = (
                f"{grant.role_name} is a role that xgrant assumes in {target.name} to do its work, and would lock "
                "itself out; name another role"
            )
            place = by_file[grant.place.file].place(("grants", grant.name, "to", "role"))
            yield Problem("XG044", message, place, grant.name)


def _kept_without_callers(
    grants: list[Grant], accounts: dict[str, Account], sources: list[tuple[Source, Path]]
) -> Iterable[Problem]:
    """Yield each grant that must not go, but ends with the grants whose roles are its only callers."""
    by_file = {source.file: source for source, _ in sources}
    said: set[str] = set()
    for grant, own in zip(with_ends(grants, accounts), grants, strict=True):
        if own.prevent_destroy and own.expires is None and grant.expires is not None and own.name not in said:
            said.add(own.name)
            message = (
                f"all its callers are roles of grants that end, the last one {instant_text(grant.expires)}: the role "
                "goes then, and prevent_destroy refuses that; name a caller that stays, or leave prevent_destroy out"
            )
            place = by_file[grant.place.file].place(("grants", grant.name, "prevent_destroy"))
            yield Problem("XG053", message, place, grant.name)


def _moved_wrongly(grants: list[Grant], sources: list[tuple[Source, Path]]) -> Iterable[Problem]:
    """Yield each earlier name of a grant that is a declared grant's, or another's earlier name."""
    by_file = {source.file: source for source, _ in sources}
    declared = {name: source.key_place(("grants", name)) for source, _ in sources for name in section(source, "grants")}
    claimed: dict[str, Place] = {}
    for grant in {grant.name: grant for grant in reversed(grants)}.values():
        for index, old in enumerate(grant.moved_from):
            place = by_file[grant.place.file].place(("grants", grant.name, "moved", index, "from"))
            if old == grant.name:
                message = f"{old} is this grant's own name; name the one that it had before"
                yield Problem("XG042", message, place, grant.name)
            elif old in declared:
                message = f"the grant {old} is declared still, at {declared[old]}; remove one of the two"
                yield Problem("XG042", message, place, grant.name)
            elif old in claimed:
                message = f"{old} is named before, at {claimed[old]}; a name has one successor"
                yield Problem("XG042", message, place, grant.name)
            claimed.setdefault(old, place)
