"""Which subjects of tokens are refused, and of which is said whom they let in."""

from __future__ import annotations

import pytest

from reconciler.policy.subjects import lets_in, subject_error

GITHUB, GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
CLUSTER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PULUMI = "api.pulumi.com/oidc"
BITBUCKET = "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc"
EVERY = "any branch, tag, environment and pull request"
IF_WHOLE = "where its subjects say no more than that (else nobody),"
SUBJECT = "repo:acme/app:ref:refs/heads/main"


@pytest.mark.parametrize(
    ("subject", "fine"),
    [
        (SUBJECT, True),
        ("repo:acme/app:environment:prod", True),
        ("repo:acme/app:pull_request", True),
        ("repo:acme/app:ref:refs/heads/*", True),
        ("repo:acme/app:*", True),
        ("repo:acme@12/app@34:ref:refs/heads/main", True),
        ("repository_owner_id:1:repository_id:2:environment:*", True),
        ("*", False),
        ("**?", False),
        (":*", False),
        ("repo:*", False),
        ("repo:?*/app:ref:refs/heads/main", False),
        ("repo:*/app:ref:refs/heads/main", False),
        ("repo:acme*/app:ref:refs/heads/main", False),
        ("repo:acme/*", False),
        ("repo:acme/*:ref:refs/heads/main", False),
        ("repo:acme/app*", False),
        ("repo:acme/ap?:ref:refs/heads/main", False),
        ("repo:acme", False),
        ("REPO:acme/app:*", False),
        ("*:repo:acme/app:ref:refs/heads/main", False),
        ("environment:prod", False),
        ("environment:repo:acme/app:*", False),
        ("repository_owner:acme:*", False),
        ("repository_id:1*", False),
        ("repository_owner:acme:repo:acme/app:*", True),
        ("enterprise:big:*", False),
        ("job_workflow_ref:acme/app/.github/workflows/x.yml@refs/heads/main", False),
        ("repo:acme/app:${aws:username}", False),
        ("project_path:acme/app:*", False),
    ],
)
def test_of_github_a_subject_has_to_name_one_repository_before_any_wildcard(subject: str, fine: bool) -> None:
    assert (subject_error(GITHUB, subject) is None) is fine
    for provider in (f"{GITHUB}/an-enterprise", "token.actions.acme.ghe.com", "git.acme.example/_services/token"):
        assert (subject_error(provider, subject) is None) is fine


@pytest.mark.parametrize(
    ("provider", "subject", "fine"),
    [
        (GITLAB, "project_path:acme/app:ref_type:branch:ref:main", True),
        (GITLAB, "project_path:acme/team/app:ref_type:branch:ref:*", True),
        (GITLAB, "project_path:acme/*", False),
        (GITLAB, "project_path:acme/app*:ref_type:branch:ref:main", False),
        (GITLAB, "project_path:acme:*", False),
        (GITLAB, "repo:acme/app:*", False),
        (GITLAB, "*:ref:main", False),
        ("gitlab.example.com", "project_path:*/app:ref_type:branch:ref:main", False),
        ("ghes.example.com/_services/token", "repo:*/app:x", False),
        ("ghes.example.com/_services/token", "repo:acme/app:x", True),
        ("app.terraform.io", "organization:acme:project:*", True),
        ("app.terraform.io", "organization:*", False),
        ("app.terraform.io", "org*:acme:project:x", False),
        (CLUSTER, "system:serviceaccount:data:loader", True),
        (CLUSTER, "system:serviceaccount:data:*", True),
        (CLUSTER, "system:serviceaccount:*", False),
        (CLUSTER, "system:serviceaccount:*:loader", False),
        (CLUSTER, "system:serviceaccount:da*:loader", False),
        (CLUSTER, "system:serviceaccount:data*", False),
        (CLUSTER, "system:*:data:loader", False),
        ("idp.example.com", "system:serviceaccount:*", False),
        (PULUMI, "pulumi:deploy:org:acme:*", True),
        (PULUMI, "pulumi:deploy:*", False),
        (PULUMI, "pulumi:deploy:org:*", False),
        (PULUMI, "pulumi:deploy:org:acme*", False),
        (BITBUCKET, "{9f1d-3a}:*", True),
        (BITBUCKET, "{9f1d-3a}:{77}:*", True),
        (BITBUCKET, "{9f1d*", False),
        (BITBUCKET, "*}:{77}", False),
        ("idp.example.com", "repository_owner:acme:*", False),
        ("idp.example.com", "enterprise:big:*", False),
        ("idp.example.com", "environment:prod:*", False),
        ("idp.example.com", "job_workflow_ref:acme/x:*", False),
        ("idp.example.com", "ref_type:branch:*", False),
        ("idp.example.com", "acme:*", False),
        ("idp.example.com", "acme:x*", False),
        ("idp.example.com", "acme:x:*", True),
        ("idp.example.com", "robot", True),
        ("idp.example.com", "robot*", False),
        ("idp.example.com", "?", False),
    ],
)
def test_of_others_a_wildcard_comes_behind_what_only_one_can_have(provider: str, subject: str, fine: bool) -> None:
    assert (subject_error(provider, subject) is None) is fine


@pytest.mark.parametrize(
    ("provider", "subject", "said"),
    [
        (GITHUB, "acme/app", "nobody would get in"),
        (GITHUB, "project_path:acme/app:*", "nobody would get in"),
        (GITLAB, "repo:acme/app:ref:refs/heads/main", "nobody would get in"),
        (CLUSTER, "data:loader", "nobody would get in"),
        (GITHUB, "environment:prod", "more than one repository could meet this"),
        (GITHUB, "repo:acme/*", "more than one repository could meet this"),
        (GITHUB, "re*:acme/app", "more than one repository could meet this"),
        (GITHUB, "*:repo:acme/app:x", "more than one repository could meet this"),
    ],
)
def test_a_subject_that_nobody_has_is_told_from_one_that_too_many_have(provider: str, subject: str, said: str) -> None:
    assert said in (subject_error(provider, subject) or "")


def test_both_forms_of_githubs_subjects_are_shown() -> None:
    error = subject_error(GITHUB, "repo:acme/*") or ""
    assert "repo:OWNER/REPOSITORY:ref:refs/heads/main" in error
    assert "repo:OWNER@ID/REPOSITORY@ID:" in error


@pytest.mark.parametrize(
    ("provider", "subject", "whom"),
    [
        (GITHUB, "repo:a/b:*", "any branch, tag, environment and pull request of repo:a/b"),
        (GITHUB, "repo:a@1/b@2:?*", "any branch, tag, environment and pull request of repo:a@1/b@2"),
        (GITHUB, "repo:a/b:*:*", "any branch, tag, environment and pull request of repo:a/b"),
        ("idp.example.com", "repo:a/b:*", "any branch, tag, environment and pull request of repo:a/b"),
        (GITHUB, "repo:a/b:pull_request", "any pull request of repo:a/b"),
        (GITHUB, "repo:a/b:ref:refs/heads/main", None),
        (GITHUB, "repo:a/b:environment:pull_requests", None),
        (GITHUB, "repo:a/b", f"{EVERY} of repo:a/b, {IF_WHOLE}"),
        (GITHUB, "repository_id:5", f"{EVERY} of repository_id:5, {IF_WHOLE}"),
        (GITHUB, "repository_owner:o:repo:o/r", f"{EVERY} of repository_owner:o:repo:o/r, {IF_WHOLE}"),
        (GITLAB, "project_path:a/b", f"any branch and tag of project_path:a/b, {IF_WHOLE}"),
        (GITLAB, "project_path:a/b/c:?*", "any branch and tag of project_path:a/b/c"),
        (GITLAB, "project_path:a/b:ref_type:branch:ref:main", None),
        (BITBUCKET, "{9f1d}:{77}:*", None),
        (CLUSTER, "system:serviceaccount:data:loader", None),
        ("idp.example.com", "robot", None),
    ],
)
def test_of_a_subject_is_said_whom_it_lets_in(provider: str, subject: str, whom: str | None) -> None:
    assert lets_in(provider, subject) == whom


@pytest.mark.parametrize(
    ("provider", "subject"),
    [
        *(
            (GITHUB, f"repo:a/b:{rest}")
            for rest in ("ref:*", "ref:refs/*", "ref:refs/heads/*", "ref:refs/heads/x-*", "r*", "*e*", "environment:*")
        ),
        *((GITLAB, f"project_path:a/b:{rest}") for rest in ("ref_type:*", "ref_type:branch:ref:*")),
        (BITBUCKET, "{9f1d}:*"),
        (CLUSTER, "system:serviceaccount:data:*"),
        (PULUMI, "pulumi:deploy:org:acme:*"),
        ("idp.example.com", "acme:x:*"),
        ("app.terraform.io", "organization:acme:project:*:workspace:x"),
    ],
)
def test_a_subject_that_does_not_name_one_thing_to_its_end_lets_in_whoever_has_one_like_it(
    provider: str, subject: str
) -> None:
    assert lets_in(provider, subject) == f"whoever has a subject like {subject}"
