"""Which roles wait until the account of their callers can be read, and which are changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model import AccountFacts
from tests.support import desired_of, facts_for, grant_yaml, load_text, manifest_yaml, plan_for

USER, GROUP = "users: [ann]", "groups: [developers]"
MORE = {"permissions": '[{actions: "s3:*", resources: "*"}]'}


@pytest.mark.parametrize(
    ("before", "after", "change", "waits"),
    [
        # Users and roles that the trust policy names, and goes on to name, are those who are meant.
        (USER, USER, MORE, False),
        ("roles: [ci]", "roles: [ci]", MORE, False),
        (USER, USER, {"permissions_boundary": "arn:aws:iam::987654321098:policy/b"}, False),
        # Whoever the account lets in: nobody can see whether that is somebody who should not be.
        (GROUP, GROUP, MORE, True),
        ("entire_account: true", "entire_account: true", MORE, True),
        ("permission_sets: [Data]", "permission_sets: [Data]", MORE, True),
        (USER, "users: [bob]", {}, True),
        (USER, "users: [ann, bob]", {}, True),
        # What callers get is the same.
        (GROUP, GROUP, {"description": "changed"}, False),
        (GROUP, GROUP, {"tags": "{a: b}"}, False),
        # Under another ARN those who are meant could not come in.
        (USER, USER, {"to": "{account: storage, path: /new/}"}, True),
        (USER, USER, {"to": "{account: storage, role: Other}"}, True),
    ],
)
def test_a_role_waits_if_it_would_give_more_to_callers_whom_nobody_can_look_at(
    tmp_path: Path, before: str, after: str, change: dict[str, str], waits: bool
) -> None:
    first, second = (
        load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": f"{{account: dev, {who}}}", **rest})))
        for who, rest in ((before, {}), (after, change))
    )
    live = desired_of(first)
    known = facts_for(second, live)
    known["dev"] = AccountFacts(second.accounts["dev"], error="no answer")
    live = {address: found for address, found in live.items() if address.account != "dev"}
    found = plan_for(second, live, facts=known)
    assert bool(found.waiting) is waits
    assert [change.address.account for change in found.changes] == ([] if waits else ["storage"])
    # With the account, nothing waits.
    assert plan_for(second, live, facts={**known, "dev": replace(known["dev"], error="")}).waiting == {}
