"""What `xgrant bootstrap --explain` says of the roles, and what the manifest has to say to reach accounts by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.bootstrap import templates
from reconciler.bootstrap.explain import access, explain
from reconciler.bootstrap.jobs import github, gitlab
from reconciler.bootstrap.model import RolePolicy, count
from tests.pages import page
from tests.support import load_text
from tests.unit.test_bootstrap import HUB, options


def test_the_actions_of_each_role_are_counted() -> None:
    said = options(callers=("group/developers",), caller_policies="inline", operators=())
    documents = {
        one.role: one.document
        for template in templates(("member", "hub", "oidc"), said)
        for one in template.resources
        if isinstance(one, RolePolicy)
    }
    assert {role: count(document) for role, document in documents.items()} == {
        "Reader": 12, "Writer": 36, "HubPlan": 1, "HubApply": 1, "CiPlan": 4, "CiApply": 4
    }  # fmt: skip
    text = " ".join(explain(said).split())
    for words in (
        "nothing else (12 actions)",
        "xgrant/platform/ (36 actions)",
        "be xgrant-hub-plan (4 actions)",
        "be both hubs (4 actions)",
    ):
        assert words in text
    assert "has 12 actions, the writing one 36" in " ".join(page("bootstrap").split())


def test_what_the_manifest_has_to_say_is_a_manifest(tmp_path: Path) -> None:
    accounts = 'version: 1\nstack: platform\naccounts: {dev: {id: "123456789012"}}\ngrants: {}\n'
    manifest = load_text(tmp_path, access(options()) + accounts)
    ways = sorted(manifest.accounts["dev"].ways(), key=lambda way: way.role or "")
    assert [(way.role, way.external_id, way.hub and way.hub.arn) for way in ways] == [
        (f"xgrant-{role}", "of-the-hub", f"arn:aws:iam::{HUB}:role/xgrant-hub-{verb}")
        for role, verb in (("reader", "plan"), ("writer", "apply"))
    ]
    assert manifest.store == "s3://acme-xgrant/xgrant"


def test_what_a_thief_could_do_is_said_of_these_callers_and_this_boundary() -> None:
    text = explain(options(boundary_actions=("s3:*",)))
    assert "Give the callers named above anything in their account" in text
    assert "do there what xgrant-boundary allows: s3:*; read all of IAM; and assume" in " ".join(text.split())
    assert "callers named above" not in explain(options(callers=()))
    assert "user/alice in 123456789012" in text
    assert "group/developers in each account" in " ".join(text.split())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "Make the environment production first, before these roles"),
        ({}, "As xgrant-ci-plan: read all of the store, which is the history of all runs"),
        ({}, "xgrant-ci-plan is any pull request of repo:acme/iam: what runs there its author writes"),
        ({}, "and ref = refs/heads/main; it may be both hubs"),
        ({}, "who did what in the last 90 days (--no-audit leaves that out)"),
        ({}, "And no plan shows it"),
        ({}, "put xgrant-boundary in the place of a tighter boundary"),
        ({}, "add lines to the history that tell of runs that never were"),
        ({"jobs": gitlab("acme/iam", "main")}, "Protect the branch main first"),
        ({"operators_mfa": True}, f"arn:aws:iam::{HUB}:role/admins/* may be both hubs by hand, with an MFA device"),
    ],
)
def test_it_is_said_what_has_to_be_set_and_what_thieves_could_do(more: dict[str, Any], words: str) -> None:
    assert words in " ".join(explain(options(**more)).split())


def test_nothing_is_said_of_pull_requests_that_are_not_let_in() -> None:
    quiet = options(jobs=github("acme/iam", "production", "main", pull_requests=False), audit=False)
    text = " ".join(explain(quiet).split())
    assert "any pull request" not in text
    assert "last 90 days" not in text
