"""Whose jobs run xgrant: what a token of GitHub or GitLab has to say for a job that plans, and for one that applies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.errors import UsageError
from reconciler.policy.subjects import lets_in, subject_error
from reconciler.policy.web_identity import GITHUB_AUDIENCE

_PROJECT = re.compile(r"[A-Za-z0-9_.-]+(?:@[0-9]+)?(?:/[A-Za-z0-9_.-]+(?:@[0-9]+)?)+")
_GITHUB_HOST, _GITLAB_HOST = "token.actions.githubusercontent.com", "gitlab.com"


@dataclass(frozen=True, slots=True)
class Jobs:
    """Whose tokens are trusted: the provider's host, its audience, and the subjects of those that plan and apply.

    `claims` is what the token of a job that applies has to say beside its subject: names and values of claims that AWS
    has condition keys for (service authorization reference, STS, AssumeRoleWithWebIdentity). `settings` is what has to
    be set at the provider before the roles are made, since no trust policy sees whether it is.
    """

    host: str
    audience: str
    plan: tuple[str, ...]
    apply: tuple[str, ...]
    claims: tuple[tuple[str, str], ...]
    settings: tuple[str, ...]

    def wider(self) -> tuple[str, ...]:
        """Return whom the subjects of jobs that plan let in beside one branch or environment."""
        return tuple(who for subject in self.plan if (who := lets_in(self.host, subject)))


def github(
    repository: str,
    environment: str,
    branch: str,
    subjects: tuple[str, ...] = (),
    plan_subjects: tuple[str, ...] = (),
    *,
    pull_requests: bool = True,
) -> Jobs:
    """Return the jobs of a repository of GitHub; those that apply are of the environment and run on the branch.

    A job of any branch can name an environment, and GitHub makes one that is not there, without rules. So the branch is
    asked for, too, by the claim `ref`; of a pull request it is `refs/pull/...`. Subjects that are stated take the place
    of those that the repository's name gives; it may have its ids in it, like acme@123/iam@456 (facts sheet 7).

    Raises:
        UsageError: a name or a subject cannot be, or lets in too many.

    """
    _check_names("--github", repository, {"--environment": environment, "--branch": branch})
    ours = f"repo:{repository}"
    of_branch = f"{ours}:ref:refs/heads/{branch}"
    usual = (f"{ours}:pull_request", of_branch) if pull_requests else (of_branch,)
    return Jobs(
        _GITHUB_HOST,
        GITHUB_AUDIENCE,
        _planning(ours, usual, subjects, plan_subjects, _GITHUB_HOST, pull_requests=pull_requests),
        _applying(_GITHUB_HOST, subjects or (f"{ours}:environment:{environment}",)),
        (("ref", f"refs/heads/{branch}"),),
        tuple(_github_settings(environment, branch)),
    )


def gitlab(
    project: str,
    branch: str,
    subjects: tuple[str, ...] = (),
    plan_subjects: tuple[str, ...] = (),
    *,
    pull_requests: bool = True,
) -> Jobs:
    """Return the jobs of a project of GitLab, at gitlab.com.

    Its subject names a branch and no environment; that the branch is a protected one is a claim of its own.

    Raises:
        UsageError: a name or a subject cannot be, or lets in too many.

    """
    _check_names("--gitlab", project, {"--branch": branch})
    ours = f"project_path:{project}"
    of_branch = f"{ours}:ref_type:branch:ref:{branch}"
    usual = (f"{ours}:ref_type:branch:ref:*",) if pull_requests else (of_branch,)
    return Jobs(
        _GITLAB_HOST,
        "https://gitlab.com",
        _planning(ours, usual, subjects, plan_subjects, _GITLAB_HOST, pull_requests=pull_requests),
        _applying(_GITLAB_HOST, subjects or (of_branch,)),
        (("ref_protected", "true"),),
        tuple(_gitlab_settings(branch)),
    )


def _github_settings(environment: str, branch: str) -> Iterator[str]:
    yield (
        f"Make the environment {environment} first, before these roles (Settings, Environments): with required "
        "reviewers and `Prevent self-review`, without `Allow administrators to bypass configured protection rules`, "
        f"and with {branch} as the only one of its deployment branches. GitHub makes an environment that a workflow "
        "names and that is not there, without any of that. In a private repository reviewers need GitHub Enterprise, "
        "and deployment branches a paid plan; without them nothing but the branch holds who applies."
    )
    yield (
        f"Protect the branch {branch}: changes by pull requests that somebody else has approved, and nobody exempt. "
        f"Else whoever may push to {branch} may apply. A workflow of {branch} that runs what a pull request brings "
        "(pull_request_target, workflow_run) lets its author apply, too."
    )


def _gitlab_settings(branch: str) -> Iterator[str]:
    yield (
        f"Protect the branch {branch} first (Settings, Repository, Protected branches): nobody may push, and merges "
        "need an approval. Tokens of jobs of a branch that is not protected are refused."
    )


def _check_names(option: str, project: str, names: dict[str, str]) -> None:
    if not _PROJECT.fullmatch(project):
        raise UsageError(f"{option}: {project} is no OWNER/NAME; write it like acme/iam")
    for what, name in names.items():
        # Of a name with a colon GitHub writes another subject; the others are IAM's wildcards and variables.
        if not name or not name.isprintable() or set(name) & set("*?${}: "):
            raise UsageError(f"{what}: {name} is no single name; write it without *, ?, $, braces, colons and spaces")


def _planning(
    ours: str,
    usual: tuple[str, ...],
    subjects: tuple[str, ...],
    stated: tuple[str, ...],
    host: str,
    *,
    pull_requests: bool,
) -> tuple[str, ...]:
    if stated and not pull_requests:
        raise UsageError("--no-pull-requests: --plan-subject says already who plans; leave one of them out")
    for subject in stated:
        _check_subject("--plan-subject", host, subject)
    for subject in subjects if not stated else ():
        if not subject.startswith(f"{ours}:"):
            raise UsageError(
                f"--subject: {subject} does not begin with {ours}, as the subjects of jobs that plan would; say "
                "theirs, too, by --plan-subject"
            )
    return stated or usual


def _applying(host: str, subjects: tuple[str, ...]) -> tuple[str, ...]:
    for subject in subjects:
        _check_subject("--subject", host, subject)
        if "*" in subject or "?" in subject:
            raise UsageError(f"--subject: {subject}: who applies is one environment or branch; leave the wildcard out")
    return subjects


def _check_subject(option: str, host: str, subject: str) -> None:
    if error := subject_error(host, subject):
        raise UsageError(f"{option}: {subject}: {error}")
