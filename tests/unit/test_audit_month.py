"""An audit of a made month of 100,000 events in files, against what was counted while it was made."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.audit import Audit
from reconciler.model import Manifest
from reconciler.pipeline.audit import AuditRequest, make_audit
from tests.month import Month, make_month
from tests.support import HEAD, grant_yaml, load_text, manifest_yaml

GRANTS = manifest_yaml(
    grant_yaml("reader", **{"from": "{account: dev, users: [alice, bob]}"}),
    grant_yaml("writer", **{"from": "{account: dev, permission_sets: [DataEngineer]}"}, to="{account: storage, path: /xgrant/}"),
    grant_yaml("deploy", **{"from": '{oidc: {provider: token.actions.githubusercontent.com, subject: "repo:acme/site:ref:refs/heads/*"}}'}),
    head=HEAD,
)  # fmt: skip


def look(manifest: Manifest, folder: Path) -> Audit:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    return make_audit(AuditRequest(manifest, since, until, files=(str(folder),), read_accounts=False))


def counted(found: Audit) -> Counter[tuple[str, str, str]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for role in found.roles:
        for usage in role.usages:
            key = (role.grant.name, usage.seen.who.name)
            seen = usage.seen
            for how, number in (("got", seen.got.number), ("refused", seen.refused.number),
                                ("mfa", seen.mfa[True]), ("no mfa", seen.mfa[False])):  # fmt: skip
                counts[(*key, how)] += number
    return +counts


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Month]:
    folder = tmp_path_factory.mktemp("month")
    return folder, make_month(folder, 100_000)


def test_a_month_of_100_000_events_is_counted_right(month: tuple[Path, Month], tmp_path: Path) -> None:
    folder, made = month
    found = look(load_text(tmp_path, GRANTS), folder)
    assert found.tally.records == made.records >= 100_000
    assert counted(found) == made.counts
    for role in found.roles:
        for usage in role.usages:
            key = (role.grant.name, usage.seen.who.name)
            times = [one for one in (usage.seen.got, usage.seen.refused) if one.number]
            assert min(one.first for one in times) == made.first[key]
            assert max(one.last for one in times) == made.last[key]
    assert {one.usage.seen.who.name for one in found.findings if one.kind == "not-named"} == {
        "carol", "deployer", f"AIDA{'V':X>16}",
    }  # fmt: skip


def test_memory_does_not_grow_with_the_events(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, GRANTS)
    peaks = []
    for number in (1_000, 4_000):
        folder = tmp_path / str(number)
        # Files of the same size: what is in memory is one of them.
        for part in range(number // 1_000):
            make_month(folder / str(part), 1_000, seed=part)
        look(manifest, folder)
        tracemalloc.start()
        look(manifest, folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
