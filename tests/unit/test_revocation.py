"""A revocation over several roles: what cannot be ended is said, and keeps no other from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError, XgrantError
from reconciler.model import Manifest, Plan, Severity
from reconciler.pipeline.revoke import plan_revocation
from reconciler.policy.document import PolicyDocument
from reconciler.policy.shapes import also_ending, ended_before, ending_sessions
from reconciler.use import chosen
from tests.support import NOW, StateReader, desired_of, grant_yaml, load_text, manifest_yaml, role_at

THIRD = role_at("third", "reader")


def several(folder: Path, targets: str = "[storage, third]") -> Manifest:
    text = manifest_yaml(grant_yaml(to=f"{{account: {targets}}}"))
    return load_text(folder, text.replace("accounts:", 'accounts:\n  third: {id: "333333333333"}', 1))


class Reads(StateReader):
    """A reader to which one account does not open, or has little room."""

    def __init__(self, manifest: Manifest, state: Any, **third: Any) -> None:
        super().__init__(manifest, state)
        self._third = third

    def read(self, scope: Any, stopped: Any = str) -> Any:
        live = super().read(scope, stopped)
        third = {name: replace(facts, **self._third) for name, facts in live.facts.items() if name == "third"}
        return replace(live, facts={**live.facts, **third})


def planned(manifest: Manifest, change: Any = lambda role: role, **third: Any) -> Plan:
    state = {a: change(r) if a == THIRD else r for a, r in desired_of(manifest).items()}
    reader = Reads(manifest, {a: r for a, r in state.items() if r is not None}, **third)
    return plan_revocation(manifest, chosen(manifest, ["reader"]), None, reader, now=NOW)


LEFT_OUT: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "not there": (lambda _: None, {}, "XG246", "is not there"),
    "not the stack's": (lambda role: replace(role, tags={}), {}, "XG246", "is not of the stack"),
    "unreadable": (lambda _: None, {"error": "third does not open"}, "XG246", "third does not open"),
    "no room": (lambda role: role, {"summary": {"RolePolicySizeQuota": 9}}, "XG220", "AWS allows 9"),
}


@pytest.mark.parametrize(("change", "third", "rule", "words"), LEFT_OUT.values(), ids=list(LEFT_OUT))
def test_a_role_that_cannot_be_written_is_left_out_and_the_others_are_not(
    tmp_path: Path, change: Any, third: dict[str, Any], rule: str, words: str
) -> None:
    found = planned(several(tmp_path), change, **third)
    assert [str(one.address) for one in found.changes] == ["storage/role/reader"]
    said = [one for one in found.findings if one.address == THIRD]
    assert [(one.rule, one.severity, words in one.message) for one in said] == [(rule, Severity.WARNING, True)]
    assert (found.refused(), found.complete(), found.left_out) == (False, False, (THIRD,))


def test_where_none_can_be_written_all_reasons_are_told(tmp_path: Path) -> None:
    manifest = several(tmp_path)
    with pytest.raises(XgrantError, match=r"storage/role/reader is not there(.|\n)*third/role/reader is not there"):
        plan_revocation(manifest, chosen(manifest, ["reader"]), None, StateReader(manifest, {}), now=NOW)
    with pytest.raises(UsageError, match="vendor is not managed"):
        planned(several(tmp_path, "vendor"))


def test_the_moment_of_now_is_no_part_of_what_is_approved(tmp_path: Path) -> None:
    manifest = several(tmp_path)
    reader = StateReader(manifest, desired_of(manifest))
    uses = chosen(manifest, ["reader"])
    first, second = (
        plan_revocation(manifest, uses, None, reader, now=NOW.replace(year=year)) for year in (NOW.year, NOW.year + 1)
    )
    assert (first.fingerprint, first.changes) == (second.fingerprint, second.changes)


def deny(operator: str, value: str, **more: str) -> dict[str, Any]:
    condition = {operator: {"aws:TokenIssueTime": value}}
    return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition, **more}


STANDING = {
    "up to a moment": deny("DateLessThanEquals", "2030-01-01T00:00:00Z"),
    "in seconds since 1970": deny("NumericLessThan", "1900000000"),
    "with an id": deny("DateLessThan", "2030-01-01T00:00:00Z", Sid="Ours"),
}


@pytest.mark.parametrize("theirs", STANDING.values(), ids=list(STANDING))
def test_a_moment_that_is_said_in_another_way_stays_beside(theirs: dict[str, Any]) -> None:
    def document(*statements: Any) -> PolicyDocument:
        return PolicyDocument.parse({"Version": "2012-10-17", "Statement": [*statements]})

    once = also_ending(document(theirs), 1000)
    assert once == document(theirs, *ending_sessions(1000).data()["Statement"])
    assert ended_before(once) == 1000
    assert also_ending(once, 2000) == document(theirs, *ending_sessions(2000).data()["Statement"])
    allowing = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert also_ending(allowing, 1000) == ending_sessions(1000)
