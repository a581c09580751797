"""Which host a job runs at, by the environment that it gives to its jobs."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import UsageError
from reconciler.hosting.github import GitHub
from reconciler.hosting.gitlab import GitLab
from reconciler.hosting.model import Host


def host_of(environment: Mapping[str, str]) -> Host:
    """Return the host of this job; UsageError where it is a job of none, or something is missing."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return GitHub(environment)
    if environment.get("GITLAB_CI") == "true":
        return GitLab(environment)
    raise UsageError(
        "xgrant pipeline is for jobs of GitHub Actions and GitLab CI, which set GITHUB_ACTIONS or GITLAB_CI; see "
        "docs/pipelines.md"
    )
