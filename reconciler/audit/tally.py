"""Events to counts: one pass, in any order, whatever their number, in memory that does not grow with it.

For each role and caller there is one count of the sessions and one of the refused attempts. What has many values, such
as addresses, is kept up to a number. What an event was counted as has to be remembered, so that its second copy counts
nothing: that is `Remembered`, which need not be in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from reconciler.audit.event import AssumeRoleEvent, is_assume_role, read_event, role_of, time_of
from reconciler.audit.fields import text
from reconciler.audit.who import Who, WhoKind

MOST_CALLERS = 5_000
"""Callers of one role that are told apart; all further ones are one."""

MOST_VALUES = 200
"""Addresses, names and the like of one caller that are told apart."""

_READS = (True, "true")
_MOST_DAYS = 800
_MOST_CODES = 20
_MOST_ACCOUNTS = 10_000

RoleKey = tuple[str, str]
"""A role by its account's id and its case-folded name, which is unique whatever its path (facts sheet 1.1)."""

_OTHERS = Who(WhoKind.OTHER, "", name="further callers")


class Remembered(Protocol):
    """Remembers events by their ids."""

    def note(self, event: str, *, mfa: bool) -> bool | None:
        """Remember an event, and whether its copy says if there was MFA; of one that is known return what it said."""
        ...


@dataclass(slots=True)
class Values:
    """Values in the order in which they came, each once, and whether there were more than are kept."""

    kept: dict[str, None] = field(default_factory=dict)
    more: bool = False

    def add(self, value: str) -> None:
        """Keep a value, if there is one and there is room."""
        if not value or value in self.kept:
            return
        if len(self.kept) < MOST_VALUES:
            self.kept[value] = None
        else:
            self.more = True


@dataclass(slots=True)
class Count:
    """How often, from when to when, from where, and by what name. `message` is the first one of each error code."""

    number: int = 0
    first: str = ""
    last: str = ""
    source_ips: Values = field(default_factory=Values)
    user_agents: Values = field(default_factory=Values)
    sessions: Values = field(default_factory=Values)
    behind: Values = field(default_factory=Values)
    errors: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    def add(self, event: AssumeRoleEvent) -> None:
        """Count an event."""
        self.number += 1
        self.first = min(self.first or event.time, event.time)
        self.last = max(self.last, event.time)
        self.source_ips.add(event.source_ip)
        self.user_agents.add(event.user_agent)
        self.sessions.add(event.session)
        self.behind.add(event.behind)
        if event.error:
            code = event.error if event.error in self.errors or len(self.errors) < _MOST_CODES else "others"
            self.errors[code] = self.errors.get(code, 0) + 1
            self.messages.setdefault(code, event.message)


@dataclass(slots=True)
class Seen:
    """What was seen of one caller at one role. `mfa` are its sessions by whether they had it: True, False, None.

    `outside` and `without_external_id` are sessions that do not meet what the grant demands, `earlier` those of a role
    that had the name before.
    """

    who: Who
    got: Count = field(default_factory=Count)
    refused: Count = field(default_factory=Count)
    mfa: dict[bool | None, int] = field(default_factory=lambda: {True: 0, False: 0, None: 0})
    outside: int = 0
    without_external_id: int = 0
    role_ids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demands:
    """What of a grant's demands can be held against an event: its address, if it is one, and the external id."""

    from_inside: Callable[[str], bool] = lambda _: True
    external_id: bool = False


@dataclass(slots=True)
class Tally:
    """The counts of the roles of some grants, from `since` on and before `until`, both as events have their times."""

    roles: Mapping[RoleKey, Demands]
    since: str
    until: str
    remembered: Remembered
    seen: dict[RoleKey, dict[str, Seen]] = field(default_factory=dict)
    days: dict[str, set[str]] = field(default_factory=dict)
    """Of each account the days that have a record of a call that reads: that its trail was there, and has such."""
    records: int = 0
    counted: int = 0
    copies: int = 0
    damaged: int = 0
    unplaced: int = 0
    """Refused attempts of which the record does not say at which role."""

    def add_all(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Count records, of which most are of no concern."""
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a record."""
        self.records += 1
        self._note_day(record)
        if not is_assume_role(record):
            return
        account, role = role_of(record)
        demands = self.roles.get((account, role.casefold()))
        if demands is None and role:
            return  # Most are of roles that services assume.
        event = read_event(record)
        if event is None:
            self.damaged += 1
        elif self.since <= event.time < self.until:
            self._add(event, demands)

    def callers(self, role: RoleKey) -> Iterator[Seen]:
        """Yield what was seen of each caller of a role."""
        yield from self.seen.get(role, {}).values()

    def _note_day(self, record: Mapping[str, Any]) -> None:
        if record.get("readOnly", record.get("readonly")) not in _READS:
            return
        account = text(record, "recipientAccountId")
        day = time_of(record)[:10]
        if account and day and self.since[:10] <= day <= self.until[:10]:
            days = self.days.get(account)
            if days is None:
                days = self.days.setdefault(account, set()) if len(self.days) < _MOST_ACCOUNTS else set()
            if len(days) < _MOST_DAYS:
                days.add(day)

    def _add(self, event: AssumeRoleEvent, demands: Demands | None) -> None:
        before = self.remembered.note(event.id, mfa=event.mfa is not None)
        if demands is None:
            self.unplaced += before is None
            return
        seen = self._of((event.account, event.role.casefold()), event.who)
        if before is None:
            self.counted += 1
            _count(seen, event, demands)
            return
        self.copies += 1
        if not before and event.mfa is not None and not event.error:
            # The first copy could not tell.
            seen.mfa[None] -= 1
            seen.mfa[event.mfa] += 1

    def _of(self, key: RoleKey, who: Who) -> Seen:
        callers = self.seen.setdefault(key, {})
        found = callers.get(who.id)
        if found is None:
            if len(callers) >= MOST_CALLERS:
                who = _OTHERS
            found = callers.setdefault(who.id, Seen(who))
        elif found.who.kind is WhoKind.HIDDEN:
            found.who = who
        return found


def _count(seen: Seen, event: AssumeRoleEvent, demands: Demands) -> None:
    if event.error:
        seen.refused.add(event)
        return
    seen.got.add(event)
    seen.mfa[event.mfa] += 1
    seen.outside += not demands.from_inside(event.source_ip)
    seen.without_external_id += demands.external_id and event.external_id is False
    if event.role_id in seen.role_ids or len(seen.role_ids) < MOST_VALUES:
        seen.role_ids[event.role_id] = seen.role_ids.get(event.role_id, 0) + 1
