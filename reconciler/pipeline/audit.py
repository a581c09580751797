"""From events of CloudTrail, and from what accounts say of their roles, to who used which grant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from reconciler.audit import OPERATIONS, Audit, Gap, Looked, Tally, audit, demands_of, role_key
from reconciler.errors import SeveralAccountsError, UsageError, XgrantError
from reconciler.events import EventsRead, Notice
from reconciler.model import Account, AccountUse, Grant, Manifest
from reconciler.pipeline.remembered import remembering
from reconciler.pipeline.trail_files import LogFileError, log_files, records

if TYPE_CHECKING:
    from reconciler.aws import Connections

LOOKUP_DAYS = 90
"""What LookupEvents knows (facts sheet 8.2)."""

_NAMED_FILES = 20
_TOLD_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What is asked: of these grants, all if none is named, from when to when.

    The events come from `files`, or where there are none from CloudTrail, in the `regions` that are named or in all
    that are enabled. With `read_accounts` the users and roles of the accounts are read.
    """

    manifest: Manifest
    since: datetime
    until: datetime
    grants: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    read_accounts: bool = True


def make_audit(request: AuditRequest, notify: Callable[[Notice], None] = lambda _: None) -> Audit:
    """Return who used the grants.

    Raises:
        UsageError: no such grant, no such file, or more than CloudTrail keeps.
        XgrantError: no account could be looked at, or no file read.

    """
    manifest = request.manifest
    grants = chosen(manifest, request.grants)
    roles = {role_key(grant, manifest.accounts): demands_of(grant) for grant in grants}
    # What an account is reached by is had once for both.
    connections = _connections(manifest, notify) if request.read_accounts or not request.files else None
    uses = _uses(request, connections)
    with remembering() as remembered:
        tally = Tally(roles, _text(request.since), _text(request.until), remembered)
        looked = (
            _looked_up(request, tally, connections)
            if connections is not None and not request.files
            else _from_files(request, tally, notify)
        )
    unread = tuple(Gap(name, (), use.error) for name, use in sorted(uses.items()) if use.error)
    known = {gap.error for gap in looked.gaps}
    gaps = (*looked.gaps, *(gap for gap in unread if gap.error not in known))
    return audit(grants, manifest.accounts, tally, uses, looked.with_gaps(gaps))


def chosen(manifest: Manifest, names: frozenset[str]) -> tuple[Grant, ...]:
    """Return the grants of these names, of earlier ones too; all if there are none. UsageError for one that is none."""
    known = {name for grant in manifest.grants for name in (grant.name, *grant.moved_from)}
    if unresolved := sorted(names & set(manifest.unresolved)):
        raise UsageError(
            f"--grant: only the organization knows the accounts of {', '.join(unresolved)}; --read-accounts asks it"
        )
    if unknown := sorted(names - known):
        raise UsageError(f"--grant: there is no grant {', '.join(unknown)} in the manifests")
    return tuple(one for one in manifest.grants if not names or names & {one.name, *one.moved_from})


def check_lookup(since: datetime, now: datetime, option: str = "--since") -> None:
    """Check that LookupEvents knows all of the time since a moment, which an option states; UsageError if not."""
    if since < now - timedelta(days=LOOKUP_DAYS):
        raise UsageError(
            f"{option}: CloudTrail looks up the last {LOOKUP_DAYS} days only; name the log files of your trail with "
            "--from-file for what was before"
        )


def check_regions(manifest: Manifest, regions: Sequence[str]) -> None:
    """Check that the regions that are named exist in a partition of the manifests; UsageError if not."""
    if not regions:
        return
    from reconciler.aws import known_regions

    known = known_regions({account.partition for account in manifest.accounts.values()})
    for region in regions:
        if region not in known:
            near = " or ".join(get_close_matches(region, sorted(known), n=2))
            meant = f"did you mean {near}" if near else "a region is like us-east-1"
            raise UsageError(
                f"--region: there is no region {region}; {meant}? (a new one is known to a newer botocore)"
            )


def _connections(manifest: Manifest, notify: Callable[[Notice], None]) -> Connections:
    # boto3 takes long to import, and files need none of it.
    from reconciler.aws import Connections

    return Connections(manifest.stack, notify)


def _uses(request: AuditRequest, connections: Connections | None) -> Mapping[str, AccountUse]:
    accounts = request.manifest.accounts
    if connections is None or not request.read_accounts:
        return {name: AccountUse(account) for name, account in accounts.items()}
    from reconciler.aws import read_uses

    return read_uses(connections, accounts.values())


@dataclass(slots=True)
class _Places:
    """Which regions were looked at, by account, and what those said that could not be."""

    regions: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    number: int = 0

    def gaps(self) -> tuple[Gap, ...]:
        """Return one for each account; with its regions, unless none of it could be looked at."""
        return tuple(
            Gap(name, tuple(region for region, _ in each) if name in self.regions else (), each[0][1])
            for name, each in sorted(self.failed.items())
        )


def _looked_up(request: AuditRequest, tally: Tally, connections: Connections) -> Looked:
    from reconciler.aws import AwsTrail, Page

    accounts = [account for account in request.manifest.accounts.values() if account.managed]
    places = _Places()
    for item in AwsTrail(connections).lookup(accounts, request.regions, OPERATIONS, request.since, request.until):
        if isinstance(item, Page):
            tally.add_all(item.records)
        elif item.error:
            places.failed.setdefault(item.account, []).append((item.region, item.error))
        else:
            places.regions.setdefault(item.account, []).append(item.region)
            places.number += 1
        connections.notify(EventsRead(tally.records, places.number, "regions"))
    if accounts and not places.regions:
        _raise_all(places, accounts)
    regions = {name: tuple(sorted(found)) for name, found in sorted(places.regions.items())}
    return Looked(tally.since, tally.until, regions, gaps=places.gaps())


def _raise_all(places: _Places, accounts: list[Account]) -> None:
    errors = tuple(XgrantError(gap.error) for gap in places.gaps())
    raise errors[0] if len(errors) == 1 else SeveralAccountsError(errors, {one.name: one.id for one in accounts})


def _from_files(request: AuditRequest, tally: Tally, notify: Callable[[Notice], None]) -> Looked:
    broken: list[tuple[str, str]] = []
    number = good = 0

    def wrong(name: str, why: str) -> None:
        nonlocal number
        number += 1
        if len(broken) < _NAMED_FILES:
            broken.append((name, why))

    for name in log_files(request.files, wrong):
        try:
            for record in records(name):
                tally.add(record)
                if tally.records % _TOLD_EVERY == 0:
                    notify(EventsRead(tally.records, good, "files"))
        except LogFileError as error:
            wrong(name, str(error))
        else:
            good += 1
    if not good:
        first = "".join(f"; {name}: {why}" for name, why in broken[:1])
        raise XgrantError(f"--from-file: no file could be read{first or ', since there is none that may be a log'}")
    return Looked(tally.since, tally.until, {}, good, broken=tuple(broken), broken_number=number)


def covered(found: Audit, before: datetime, *, every_region: bool) -> frozenset[str]:
    """Return the accounts, by name, of which all events since `before` were looked at.

    `every_region` says that no region was left out on purpose. Of files nobody can know it; so each day of that time
    has to have an event that only reads, as AssumeRole is one, of the account.
    """
    looked = found.looked
    if looked.since > _text(before):
        return frozenset()
    if not looked.files:
        whole = {name for name in looked.regions if every_region}
        return frozenset(whole - {gap.account for gap in looked.gaps})
    until = datetime.fromisoformat(looked.until)
    days = {f"{before + timedelta(days=day):%Y-%m-%d}" for day in range((until - before).days)}
    return frozenset(
        name for name, account in found.accounts.items() if days <= found.tally.days.get(account.id, set())
    )


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
