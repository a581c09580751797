"""Looks up events in CloudTrail: the last 90 days, one region a call, two calls a second for each account and region.

Facts sheet 8.2. The pace is kept by `clients.py`; here regions are looked at beside each other, and each page is asked
for with credentials that are good at that moment, since a busy account takes hours.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.aws.errors import aws_errors
from reconciler.aws.sessions import Connections
from reconciler.aws.threads import threads
from reconciler.errors import AwsError, XgrantError
from reconciler.model import Account

_PAGE = 50
"""Events of a page, at most (CloudTrail API reference, LookupEvents)."""

_AT_ONCE = 32
_WAITING_PAGES = 64

_DENIED = "allow cloudtrail:LookupEvents to the identity that xgrant uses in this account"
_REGIONS_DENIED = "allow ec2:DescribeRegions to the identity that xgrant uses in this account, or name --region"


@dataclass(frozen=True, slots=True)
class Page:
    """Events of one region of an account, as CloudTrail has them in the files of a trail."""

    account: str
    region: str
    records: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A region of an account that was looked at to its end, or could not be, with why."""

    account: str
    region: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Over:
    """Nothing more will come."""

    error: BaseException | None = None


class AwsTrail:
    """Asks the CloudTrail of accounts."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def lookup(
        self, accounts: Sequence[Account], regions: Sequence[str], names: Sequence[str], start: datetime, end: datetime
    ) -> Iterator[Page | LookedAt]:
        """Yield all events of these names; of each region last whether it was looked at.

        Without `regions` all are meant that are enabled in the account. An account whose regions nobody tells is one
        `LookedAt` without a region.
        """
        found: queue.Queue[Page | LookedAt | _Over] = queue.Queue(_WAITING_PAGES)
        stop = threading.Event()

        def put(item: Page | LookedAt | _Over) -> None:
            while not stop.is_set():
                try:
                    return found.put(item, timeout=0.5)
                except queue.Full:
                    continue
            raise _StoppedError

        def work() -> None:
            try:
                self._all(accounts, regions, names, (start, end), put)
            except _StoppedError:
                return
            except BaseException as error:  # noqa: BLE001 - it is raised where the events are read
                put(_Over(error))
            else:
                put(_Over())

        threading.Thread(target=work, name="lookup", daemon=True).start()
        try:
            while not isinstance(item := found.get(), _Over):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            stop.set()

    def _all(
        self, accounts: Sequence[Account], regions: Sequence[str], names: Sequence[str],
        times: tuple[datetime, datetime], put: Callable[[Any], None],
    ) -> None:  # fmt: skip
        def look(where: tuple[Account, str]) -> None:
            account, region = where
            try:
                for name in names:
                    for records in self._pages(account, region, name, times):
                        put(Page(account.name, region, records))
            except XgrantError as error:
                put(LookedAt(account.name, region, str(error)))
            else:
                put(LookedAt(account.name, region))

        with threads(_AT_ONCE, "lookup") as pool:
            told = pool.map(lambda account: self._regions(account, regions), accounts)
            places: list[tuple[Account, str]] = []
            for account, known in zip(accounts, told, strict=True):
                if isinstance(known, XgrantError):
                    put(LookedAt(account.name, "", str(known)))
                else:
                    places += [(account, region) for region in known]
            for _ in pool.map(look, places):
                pass

    def _regions(self, account: Account, stated: Sequence[str]) -> Sequence[str] | XgrantError:
        """Return the regions to look at; those that are enabled, if none are stated (EC2 API, DescribeRegions)."""
        if stated:
            return stated
        try:
            return self._connections.once_more(account, lambda ec2: _enabled(account, ec2), "ec2")
        except XgrantError as error:
            return error

    def _pages(
        self, account: Account, region: str, name: str, times: tuple[datetime, datetime]
    ) -> Iterator[tuple[Mapping[str, Any], ...]]:
        start, end = times
        asked: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}],
            "StartTime": start, "EndTime": end, "MaxResults": _PAGE,
        }  # fmt: skip

        def ask(client: Any) -> Mapping[str, Any]:
            with aws_errors(account.name, f"LookupEvents in {region}", denied=_DENIED):
                answer: Mapping[str, Any] = client.lookup_events(**asked)
            return answer

        while True:
            answer = self._connections.once_more(account, ask, "cloudtrail", region)
            yield tuple(_record(account, region, event) for event in answer.get("Events", []))
            if not answer.get("NextToken"):
                return
            # It is good only with the very request that it came of (API reference).
            asked["NextToken"] = answer["NextToken"]


class _StoppedError(Exception):
    """Nobody reads any more."""


def _enabled(account: Account, ec2: Any) -> Sequence[str]:
    with aws_errors(account.name, "DescribeRegions", denied=_REGIONS_DENIED):
        found = ec2.describe_regions()["Regions"]
    return sorted(region["RegionName"] for region in found if region.get("OptInStatus") != "not-opted-in")


def _record(account: Account, region: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found = json.loads(event["CloudTrailEvent"])
    except (KeyError, TypeError, ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    raise AwsError(
        account.name, f"LookupEvents in {region}", "UnreadableEvent",
        f"the event {event.get('EventId', '')} is no JSON",
        hint="report it to AWS; --region leaves this region out",
    )  # fmt: skip
