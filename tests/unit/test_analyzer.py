"""What `--access-analyzer` asks of the changes of a plan, and what it says without asking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.manifest.places import Places
from reconciler.model import Account, Policies
from reconciler.pipeline.analyzer import analyzed
from reconciler.pipeline.guardrails import Guardrails
from reconciler.policy.document import PolicyDocument
from reconciler.ports import Opinion
from tests.support import STORAGE, desired_of, facts_for, grant_yaml, load_text, manifest_yaml, plan_for

OWN = f"arn:aws:iam::{STORAGE}:policy/own"
READ = PolicyDocument.parse(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
OF_AWS = "arn:aws:iam::aws:policy"


class Asked:
    """An `Analyzer` that says of every new document that it allows more, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[PolicyDocument, PolicyDocument]] = []

    def validate(self, account: Account, document: PolicyDocument, *, trust: bool) -> tuple[Opinion, ...]:
        assert account
        assert document
        assert trust in (True, False)
        return ()

    def new_access(
        self, account: Account, new: PolicyDocument, existing: PolicyDocument, *, trust: bool
    ) -> tuple[str, ...]:
        assert account
        self.asked.append((new, existing))
        return ("trust" if trust else "permissions",)


def changed(folder: Path, before: dict[str, str], after: dict[str, str]) -> tuple[list[str], Asked]:
    """Return what is said of a change of a grant, and what was asked."""
    plain = {"permissions": ""}
    live = desired_of(load_text(folder, manifest_yaml(grant_yaml(**{**plain, **before}))))
    manifest = load_text(folder, manifest_yaml(grant_yaml(**{**plain, **after})))
    facts = facts_for(manifest, live)
    facts["storage"] = replace(facts["storage"], documents={OWN: READ})
    held = Guardrails(manifest, Policies(), datetime(2026, 6, 15, tzinfo=UTC), Places(manifest, []))
    analyzer = Asked()
    found = analyzed(plan_for(manifest, live, facts=facts), held, analyzer).findings
    return [one.message for one in found if one.rule == "XG151"], analyzer


S3 = "[{actions: s3:GetObject, resources: '*'}]"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"managed_policies": f"[{OF_AWS}/ReadOnlyAccess]"}, {"permissions": S3}, "in what it allows: permissions"),
        (
            {"managed_policies": f"[{OF_AWS}/ReadOnlyAccess]"}, {"managed_policies": f"[{OF_AWS}/PowerUserAccess]"},
            f"by the managed policy {OF_AWS}/PowerUserAccess, which is not read here",
        ),
        (
            {"permissions": S3, "permissions_boundary": OWN}, {"permissions": S3},
            f"since {OWN} is its permissions boundary no more",
        ),
        (
            {"permissions": S3}, {"permissions": S3, "trust_conditions": "{StringEquals: {'aws:PrincipalTag/a': b}}"},
            "in who may assume it: trust",
        ),
    ],
    ids=["managed to inline", "another of AWS's", "boundary", "trust"],
)  # fmt: skip
def test_what_a_change_newly_allows_is_named_however_it_is_allowed(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], said: str
) -> None:
    found, _ = changed(tmp_path, before, after)
    assert found == [f"more than AWS has now, {said}"]


def test_where_a_role_was_allowed_nothing_its_document_is_held_against_one_that_allows_nothing(tmp_path: Path) -> None:
    _, analyzer = changed(tmp_path, {"managed_policies": f"[{OF_AWS}/ReadOnlyAccess]"}, {"permissions": S3})
    ((new, existing),) = analyzer.asked
    assert new == READ
    assert [one["Effect"] for one in existing.statements()] == ["Deny"]


def test_a_managed_policy_that_was_read_counts_as_what_the_role_is_allowed(tmp_path: Path) -> None:
    _, analyzer = changed(tmp_path, {"managed_policies": f"[{OWN}]"}, {"permissions": S3})
    assert analyzer.asked == []  # The same statement, stated elsewhere.
