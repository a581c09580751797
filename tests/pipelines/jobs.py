"""The environments of jobs of GitHub and GitLab, for what asks their APIs without a pipeline around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.pipelines.github_api import REPOSITORY, GitHubApi
from tests.pipelines.gitlab_api import PROJECT, TOKEN, GitLabApi

ALL = {"contents": "read", "actions": "read", "issues": "write", "pull-requests": "write"}
HEAD = "a" * 40


def job(api: GitHubApi, folder: Path, permissions: Mapping[str, str] = ALL, **more: str) -> dict[str, str]:
    """Return the environment of a job of GitHub; of the newest pull request if there is one."""
    event = {"pull_request": [*api.pulls.values()][-1]} if api.pulls else {}
    (folder / "event.json").write_text(json.dumps(event))
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_API_URL": api.url, "GITHUB_TOKEN": api.token(permissions),
        "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_EVENT_PATH": str(folder / "event.json"), "GITHUB_SHA": HEAD,
        "GITHUB_REF_NAME": "main", **more,
    }  # fmt: skip


def on_gitlab(api: GitLabApi, **more: str) -> dict[str, str]:
    return {
        "GITLAB_CI": "true", "CI_API_V4_URL": api.base, "CI_PROJECT_ID": str(PROJECT), "GITLAB_TOKEN": TOKEN,
        "CI_COMMIT_SHA": HEAD, "CI_COMMIT_BRANCH": "main", **more,
    }  # fmt: skip
