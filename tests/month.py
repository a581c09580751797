"""A made month of CloudTrail, in files as a trail writes them, and what is in it, counted while it is made."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import DEV, STORAGE, VENDOR
from tests.trail import ROLE, Record, assumed, job, refused, service, session, sso, user

WRITER = f"arn:aws:iam::{STORAGE}:role/xgrant/writer"
DEPLOY = f"arn:aws:iam::{STORAGE}:role/deploy"
_OTHER = f"arn:aws:iam::{DEV}:role/lambda"
_FILES = 60


@dataclass
class Month:
    """Events in files, and by (role, caller, how it ended) how many there were: `got`, `refused`, `mfa`, `no mfa`."""

    records: int = 0
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], str] = field(default_factory=dict)
    last: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, role: str, who: str, how: str, time: str) -> None:
        self.counts[role, who, how] += 1
        if how in ("got", "refused"):
            key = (role, who)
            self.first[key] = min(self.first.get(key, time), time)
            self.last[key] = max(self.last.get(key, time), time)


def make_month(folder: Path, number: int, seed: int = 0) -> Month:
    """Write about so many records below a folder; some files twice, some packed."""
    dice = random.Random(seed)
    month = Month()
    files: list[list[Record]] = [[] for _ in range(_FILES)]
    while month.records < number:
        for record in _records(dice, month):
            month.records += 1
            files[dice.randrange(_FILES)].append(record)
    for index, records in enumerate(files):
        content = json.dumps({"Records": records}).encode()
        place = folder / f"{index % 3}"
        place.mkdir(parents=True, exist_ok=True)
        if index % 10 == 0:
            (place / f"{index}.json.gz").write_bytes(gzip.compress(content, 1))
        else:
            (place / f"{index}.json").write_bytes(content)
        if index == 7:
            (place / "again.json").write_bytes(content)
            month.records += len(records)
    return month


def _records(dice: random.Random, month: Month) -> Iterator[Record]:
    time = f"2026-01-{dice.randint(1, 31):02}T{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:00Z"
    match dice.randrange(10):
        case 0 | 1 | 2:
            yield {**refused(user(), time=time), "eventName": "ListBuckets", "eventSource": "s3.amazonaws.com"}
        case 3 | 4:
            yield from assumed(service(), _OTHER, time)
        case 5 | 6:
            name, device = dice.choice(("alice", "bob", "carol")), dice.choice(("", f"arn:aws:iam::{DEV}:mfa/x"))
            month.note("reader", name, "got", time)
            month.note("reader", name, "mfa" if device else "no mfa", time)
            yield from assumed(user(name), ROLE, time, device=device, ip=f"10.0.0.{dice.randrange(250)}")
        case 7:
            who, name = dice.choice(((session(), "deployer"), (sso(), "AWSReservedSSO_DataEngineer_0123456789abcdef")))
            month.note("writer", name, "got", time)
            month.note("writer", name, "no mfa", time)
            copies = assumed(who, WRITER, time)
            yield from copies if dice.random() < 0.8 else copies[:1]
        case 8:
            name = dice.choice(("mallory", "alice"))
            month.note("reader", name, "refused", time)
            yield refused(user(name), ROLE, time, with_request=dice.random() < 0.5)
        case _:
            subject = f"repo:acme/site:ref:refs/heads/{dice.randrange(20)}"
            month.note("deploy", subject, "got", time)
            yield from assumed(job(subject), DEPLOY, time, operation="AssumeRoleWithWebIdentity")
    if dice.random() < 0.01:
        month.note("writer", f"AIDA{'V':X>16}", "got", time)
        yield assumed(user("v", VENDOR), WRITER, time)[1]
