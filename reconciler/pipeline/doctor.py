"""What is wrong with the set-up: access, trails, quotas, permissions, the clock and the store, of all accounts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.desired import desired_state
from reconciler.errors import AwsError, StoreError
from reconciler.events import Notice
from reconciler.health import access, clocks, permissions, store, trails
from reconciler.health.permissions import Pair
from reconciler.health.quotas import quotas
from reconciler.model import (
    Account,
    AccountFacts,
    Ailment,
    Allowed,
    Diagnosis,
    Live,
    Manifest,
    PrincipalKind,
    Scope,
    Severity,
    State,
)
from reconciler.ownership import owns
from reconciler.pipeline.stores import managed_accounts, open_store
from reconciler.policy.arn import iam_arn, split_path
from reconciler.ports import Store

if TYPE_CHECKING:
    from reconciler.aws import Examiner, Simulator

_PROBE = "doctor/probe.json"
"""The entry of the store that is written to see whether it honours conditions."""

_ORDER = tuple(Severity)


@dataclass(frozen=True, slots=True)
class _Practice:
    """What one diagnosis works with."""

    manifest: Manifest
    live: Live
    wanted: State
    examiner: Examiner
    simulator: Simulator


def diagnose(manifest: Manifest, notify: Callable[[Notice], None]) -> Diagnosis:
    """Return what is wrong, worst first; accounts are looked at beside each other, and each by itself."""
    from reconciler.aws import (
        PARALLEL_ACCOUNTS,
        AwsReader,
        Connections,
        Examiner,
        Simulator,
        clock_ahead,
        legacy_sts,
        threads,
    )

    accounts = managed_accounts(manifest)
    connections = Connections(manifest.stack, notify)
    live = AwsReader(connections).read(Scope(manifest.stack, tuple(accounts), frozenset(), part=True))
    wanted = desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)
    practice = _Practice(manifest, live, wanted, Examiner(connections), Simulator(connections))
    found: list[Ailment] = []
    for partition in sorted({account.partition for account in accounts}):
        ahead = clock_ahead(partition, notify)
        found += clocks.skew(ahead) if ahead is not None else ()
    if legacy_sts():
        found.append(access.global_sts())
    found += _store(manifest, notify)
    with threads(PARALLEL_ACCOUNTS, "doctor") as pool:
        for several in pool.map(lambda account: tuple(_account(account, practice)), accounts):
            found += several
    unread = {name: facts.error for name, facts in live.facts.items() if facts.error}
    ordered = sorted(found, key=lambda one: (_ORDER.index(one.severity), one.account, one.rule))
    return Diagnosis({account.name: account.id for account in accounts}, tuple(ordered), unread)


def _account(account: Account, practice: _Practice) -> Iterator[Ailment]:
    facts = practice.live.facts[account.name]
    separate = account.apply_access is not None and account.apply_access != account.access
    if separate:
        yield from _applying(account.as_applied_to(), practice)
    if facts.error:
        yield access.unreachable(account.name, facts.error, applying=False)
        return
    owned = {at: one for at, one in practice.live.state.items() if owns(practice.manifest.stack, one)}
    yield from quotas(facts, owned)
    yield from _trails(account, practice)
    yield from _permissions(account, practice, facts, applying=not separate)


def _applying(account: Account, practice: _Practice) -> Iterator[Ailment]:
    """Look at an account as it is reached to apply, where that is another way."""
    try:
        practice.examiner.reach(account)
    except AwsError as error:
        yield access.unreachable(account.name, str(error), applying=True)
        return
    yield from _permissions(account, practice, practice.live.facts[account.name], applying=True)


def _trails(account: Account, practice: _Practice) -> Iterator[Ailment]:
    try:
        found = practice.examiner.trails(account)
    except AwsError as error:
        yield trails.unseen(account.name, str(error))
        return
    yield from trails.trails(account.name, found)


def _permissions(account: Account, practice: _Practice, facts: AccountFacts, *, applying: bool) -> Iterator[Ailment]:
    wanted = practice.wanted
    try:
        who = _who(account, practice, facts)
        if not who:
            yield permissions.unknown(account, "it is reached neither as a user nor as a role of the account")
            return
        required = permissions.needed(account, practice.manifest, wanted, applying=applying)
        further = permissions.excessive(account, who, wanted, applying=applying)
        context = permissions.context(account, practice.manifest, wanted)
        allowed = Allowed(who, _decisions(account, who, (*required, *further), practice.simulator, context))
    except AwsError as error:
        yield permissions.unknown(account, str(error))
        return
    yield from permissions.lacking(account, allowed, required)
    yield from permissions.beyond(account, allowed, wanted, applying=applying)


def _decisions(
    account: Account, who: str, pairs: tuple[Pair, ...], simulator: Simulator, context: dict[str, str]
) -> dict[Pair, bool]:
    by_resource: dict[str, dict[str, None]] = {}
    for action, resource in pairs:
        by_resource.setdefault(resource, {})[action] = None
    found: dict[Pair, bool] = {}
    for resource, actions in by_resource.items():
        for action, allowed in simulator.simulate(account, who, tuple(actions), resource, context).items():
            found[action, resource] = allowed
    return found


def _who(account: Account, practice: _Practice, facts: AccountFacts) -> str:
    """Return the ARN of the user or role with which an account is asked; empty where it is neither."""
    if account.access.role is not None:
        path, name = split_path(account.access.role)
        return iam_arn(account.partition, account.id, "role", path, name)
    arn = practice.examiner.reach(account)
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == "user":
        return arn
    role = name.split("/")[0] if kind == "assumed-role" else ""
    return facts.principals.get((PrincipalKind.ROLE, role.casefold()), "")


def _store(manifest: Manifest, notify: Callable[[Notice], None]) -> Iterator[Ailment]:
    """Look whether the store can be read; of one in S3 also whether it writes on conditions only."""
    try:
        opened = open_store(manifest, notify)
        opened.keys(f"locks/{manifest.stack}/")
        if manifest.store and (what := honours_nothing(opened)):
            yield store.careless(opened.place, what)
    except StoreError as error:
        yield store.unreachable(str(error))


def honours_nothing(opened: Store) -> str:
    """Say which condition of a write a store does not honour; nothing where it honours them all.

    It writes one entry, which it finds there again the next time.
    """

    def content() -> bytes:
        return json.dumps({"probe": uuid.uuid4().hex}).encode()  # No content may be written twice.

    first = opened.read(_PROBE)
    etag = first.etag if first is not None else opened.create(_PROBE, content())
    if opened.create(_PROBE, content()) is not None:
        return "writes over an entry that a write with If-None-Match was to leave"
    replaced = etag is not None and opened.replace(_PROBE, content(), etag) is not None
    if etag is not None and replaced and opened.replace(_PROBE, content(), etag) is not None:
        return "writes over an entry that is no longer the one of If-Match"
    return ""
