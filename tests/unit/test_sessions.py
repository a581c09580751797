"""What is sent with AssumeRole has to be allowed on both sides (facts sheet 6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.model import CallerPolicy, ManagedPolicy, Manifest, Role
from reconciler.policy.document import PolicyDocument
from reconciler.trusted import trust_of
from tests.support import STORAGE, desired_of, grant_yaml, load_text, manifest_yaml, plan_for

IDENTITY = '{StringLike: {"sts:SourceIdentity": "*"}}'
TAG = '{StringEquals: {"aws:requesttag/Team": data}}'
BOTH = '{StringLike: {"sts:sourceidentity": "*"}, Null: {"aws:TagKeys": "false"}}'
EXTERNAL = '{StringEquals: {"sts:ExternalId": agreed, "aws:PrincipalTag/team": data}}'
ARN = f"arn:aws:iam::{STORAGE}:role/"


def loaded(folder: Path, *grants: str) -> Manifest:
    return load_text(folder, manifest_yaml(*grants))


def allowed(document: PolicyDocument) -> list[tuple[Any, Any]]:
    return [(statement["Action"], statement.get("Resource")) for statement in document.statements()]


@pytest.mark.parametrize(
    ("conditions", "further"),
    [
        (EXTERNAL, []),
        (IDENTITY, ["sts:SetSourceIdentity"]),
        (TAG, ["sts:TagSession"]),
        (BOTH, ["sts:SetSourceIdentity", "sts:TagSession"]),
    ],
)
def test_both_sides_allow_just_what_the_conditions_make_needed(
    tmp_path: Path, conditions: str, further: list[str]
) -> None:
    state = desired_of(loaded(tmp_path, grant_yaml(trust_conditions=conditions)))
    (role,) = (found for found in state.values() if isinstance(found, Role))
    (caller,) = (found for found in state.values() if isinstance(found, CallerPolicy))
    assert allowed(role.trust_policy) == [(["sts:AssumeRole", *further], None)]
    assert allowed(caller.document) == [([action], [f"{ARN}reader"]) for action in ("sts:AssumeRole", *further)]


def test_a_managed_caller_policy_allows_it_on_those_roles_only_that_need_it(tmp_path: Path) -> None:
    manifest = loaded(
        tmp_path, grant_yaml("one", caller_policy="managed"),
        grant_yaml("two", caller_policy="managed", trust_conditions=IDENTITY),
    )  # fmt: skip
    result = plan_for(manifest, {})
    (policy,) = (c.after for c in result.changes if isinstance(c.after, ManagedPolicy))
    assert allowed(policy.document) == [
        (["sts:AssumeRole"], [f"{ARN}one", f"{ARN}two"]), (["sts:SetSourceIdentity"], [f"{ARN}two"]),
    ]  # fmt: skip


def test_a_token_may_carry_a_source_identity_and_tags(tmp_path: Path) -> None:
    jobs = "{oidc: {provider: token.actions.githubusercontent.com, subject: 'repo:a/b:ref:refs/heads/main'}}"
    (role,) = desired_of(loaded(tmp_path, grant_yaml(**{"from": jobs}, trust_conditions=IDENTITY))).values()
    assert isinstance(role, Role)
    assert allowed(role.trust_policy)[0][0] == ["sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity"]


@pytest.mark.parametrize("conditions", [IDENTITY, TAG, BOTH])
def test_such_a_trust_policy_can_be_imported(tmp_path: Path, conditions: str) -> None:
    manifest = loaded(tmp_path, grant_yaml(trust_conditions=conditions))
    (role,) = (found for found in desired_of(manifest).values() if isinstance(found, Role))
    assert trust_of(role.trust_policy, manifest.accounts["storage"]).conditions


def test_a_permission_set_has_to_allow_it_too(tmp_path: Path) -> None:
    callers = "{account: dev, permission_sets: [Data]}"
    result = plan_for(loaded(tmp_path, grant_yaml(**{"from": callers}, trust_conditions=IDENTITY)), {})
    (note,) = (finding for finding in result.findings if finding.rule == "XG230")
    ((_, document),) = note.documents
    assert [action for action, _ in allowed(document)] == [["sts:AssumeRole"], ["sts:SetSourceIdentity"]]
