"""What is wrong with a set-up, from what was looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import StoreError
from reconciler.health.clocks import skew
from reconciler.health.quotas import quotas
from reconciler.health.trails import has_reads, trails
from reconciler.model import Account, AccountFacts, Carried, PrincipalKind, Role, Trail
from reconciler.pipeline.doctor import honours_nothing
from reconciler.ports import Entry
from tests.support import DEV, allow, document, role_at

GOOD = Trail("all", logging=True, all_regions=True, organization=True, reads=True)
HIDDEN = replace(GOOD, reads=None, unseen="TrailNotFoundException")


def management(**fields: Any) -> dict[str, Any]:
    found = [{"Field": "eventCategory", "Equals": ["Management"]}]
    return {"FieldSelectors": found + [{"Field": name, **how} for name, how in fields.items()]}


@pytest.mark.parametrize(
    ("basic", "advanced", "reads"),
    [
        ([], [], True),
        ([{"ReadWriteType": "ReadOnly"}], [], True),
        ([{"ReadWriteType": "WriteOnly"}], [], False),
        ([{"ReadWriteType": "WriteOnly"}, {"ReadWriteType": "All"}], [], True),
        ([{"ReadWriteType": "All", "IncludeManagementEvents": False}], [], False),
        ([], [management()], True),
        ([], [management(readOnly={"Equals": ["true"]})], True),
        ([], [management(readOnly={"Equals": ["false"]})], False),
        ([], [management(eventSource={"NotEquals": ["kms.amazonaws.com"]})], True),
        ([], [management(eventSource={"NotStartsWith": ["sts"]})], False),
        ([], [management(eventSource={"EndsWith": ["ts.amazonaws.com"]})], True),
        ([], [management(eventName={"Equals": ["CreateRole"]})], False),
        ([], [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}], False),
        ([], [management(readOnly={"Equals": ["false"]}), management()], True),
    ],
)
def test_a_trail_has_assume_role_only_where_its_selectors_let_in_what_reads(
    basic: list[dict[str, Any]], advanced: list[dict[str, Any]], reads: bool
) -> None:
    assert has_reads(basic, advanced) is reads


@pytest.mark.parametrize(
    ("found", "rules"),
    [
        ([GOOD], []),
        ([Trail("one", True, False, False, True), GOOD], []),
        ([], ["XG310"]),
        ([Trail("off", False, True, False, True)], ["XG310"]),
        ([Trail("one", True, False, False, True)], ["XG311"]),
        ([HIDDEN, GOOD], []),
        ([Trail("one", True, False, False, True), HIDDEN], ["XG313"]),
        ([replace(HIDDEN, logging=False)], ["XG310"]),
        ([replace(HIDDEN, all_regions=False)], ["XG311"]),
        ([replace(HIDDEN, logging=None)], ["XG313"]),
        ([replace(HIDDEN, logging=None, all_regions=False)], ["XG311"]),
        ([Trail("writes", True, True, False, False)], ["XG312"]),
        ([Trail("one", True, False, False, True), Trail("writes", True, True, False, False)], ["XG312"]),
    ],
)
def test_one_trail_that_has_it_all_is_enough(found: list[Trail], rules: list[str]) -> None:
    assert [one.rule for one in trails("dev", found)] == rules


@pytest.mark.parametrize(
    ("denied", "way_out"), [(True, "allow cloudtrail:DescribeTrails"), (False, "look at the trail in the account")]
)
def test_a_permission_is_advised_only_where_it_is_what_lacks(denied: bool, way_out: str) -> None:
    (found,) = trails("dev", [replace(HIDDEN, denied=denied)])
    assert (
        found.message == "whether CloudTrail is on cannot be seen: of all (of the organization): TrailNotFoundException"
    )
    assert found.way_out.startswith(way_out)


@pytest.mark.parametrize(
    ("seconds", "levels"),
    [(60, []), (-60, []), (61, ["warning"]), (300, ["warning"]), (301, ["error"]), (-900, ["error"])],
)
def test_a_clock_is_warned_of_after_a_minute_and_wrong_after_five(seconds: float, levels: list[str]) -> None:
    assert [one.severity.value for one in skew(seconds)] == levels


def test_quotas_are_told_from_four_fifths_on_with_the_percentage() -> None:
    address, trust = role_at("dev", "reader"), document(allow("sts:AssumeRole", "x" * 1700))
    facts = AccountFacts(
        Account("dev", DEV),
        principals={(PrincipalKind.ROLE, "reader"): f"arn:aws:iam::{DEV}:role/reader"},
        carried={(PrincipalKind.ROLE, "reader"): Carried({"a": 8000, "b": 192}, frozenset("abcdefg"))},
        summary={"Roles": 800, "RolesQuota": 1000, "Policies": 1199, "PoliciesQuota": 1500},
    )
    role = Role("reader", f"arn:aws:iam::{DEV}:role/reader", "/", trust)
    assert [one.message for one in quotas(facts, {address: role})] == [
        "800 of 1,000 roles are used (80%)",
        "8,192 of 10,240 characters of inline policies of the role reader are used (80%)",
        "1,797 of 2,048 characters of the trust policy of the role reader are used (87%)",
    ]


class MemoryStore:
    """A store that honours only some conditions."""

    place = "memory"

    def __init__(self, *, none_match: bool, match: bool) -> None:
        self.entries: dict[str, bytes] = {}
        self._none_match, self._match = none_match, match

    def read(self, key: str) -> Entry | None:
        found = self.entries.get(key)
        return None if found is None else Entry(found, found.hex(), 0)

    def create(self, key: str, content: bytes) -> str | None:
        return None if self._none_match and key in self.entries else self._put(key, content)

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        return None if self._match and self.entries[key].hex() != etag else self._put(key, content)

    def _put(self, key: str, content: bytes) -> str:
        self.entries[key] = content
        return content.hex()

    def keys(self, prefix: str) -> tuple[str, ...]:
        raise StoreError(prefix)

    def append(self, log: str, line: bytes) -> None:
        raise StoreError(f"{log} {line!r}")

    def lines(self, log: str, *, ends: bool = False) -> tuple[bytes, ...]:
        raise StoreError(f"{log} {ends}")

    def logs(self, prefix: str) -> tuple[str, ...]:
        raise StoreError(prefix)


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (MemoryStore(none_match=True, match=True), ""),
        (MemoryStore(none_match=False, match=True), "If-None-Match"),
        (MemoryStore(none_match=True, match=False), "If-Match"),
    ],
)
def test_a_store_that_writes_where_a_condition_says_not_to_is_found(store: MemoryStore, says: str) -> None:
    for _ in range(2):
        found = honours_nothing(store)
        assert (says in found, bool(found)) == (True, bool(says))
