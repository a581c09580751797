"""GitHub: comments on pull requests, issues, what was reviewed of a merge, and how an environment is protected.

Endpoints as in GitHub's REST API reference: issues and their comments, "List pull requests associated with a commit",
"Get an environment"; those of `github_runs.py` beside.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from reconciler.errors import HostingError, ReviewError, UsageError
from reconciler.files import read_regular
from reconciler.hosting.environment import stated
from reconciler.hosting.github_runs import PLAN, WORKFLOW, Runs
from reconciler.hosting.http import Client
from reconciler.hosting.model import LABEL, Comment, Issue, Review

BOT = "github-actions[bot]"
"""Who writes with the token of a job. No user can be called so: their names have no brackets."""


class GitHub:
    """A `Host`; see there."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        token = stated(environment, "GITHUB_TOKEN", "give the step the token of the job, in `env:`")
        self._repository = self._stated("GITHUB_REPOSITORY")
        self._client = Client(
            self._stated("GITHUB_API_URL"),
            {
                "Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )  # fmt: skip
        self._at = f"repos/{self._repository}"

    @property
    def head(self) -> str:
        """The head commit of the pull request, as the event has it."""
        return str(self._pull["head"]["sha"])

    @property
    def commit(self) -> str:
        """The commit of the job; for a pull request the one that would merge it."""
        return self._stated("GITHUB_SHA")

    @property
    def job(self) -> str:
        """Where the run can be seen."""
        server, run = self._environment.get("GITHUB_SERVER_URL"), self._environment.get("GITHUB_RUN_ID")
        return f"{server}/{self._repository}/actions/runs/{run}" if server and run else ""

    def comments(self) -> Iterator[Comment]:
        """Yield the comments that jobs have written on the pull request."""
        for found in self._client.pages(f"{self._at}/issues/{self._pull['number']}/comments"):
            if _is_ours(found):
                yield Comment(str(found["id"]), found["body"] or "")

    def comment(self, text: str, at: Comment | None) -> None:
        """Write a comment."""
        if at is None:
            self._client.send("POST", f"{self._at}/issues/{self._pull['number']}/comments", {"body": text})
        else:
            self._client.send("PATCH", f"{self._at}/issues/comments/{at.id}", {"body": text})

    def issues(self) -> Iterator[Issue]:
        """Yield the issues, the newest first; a pull request is an issue to this endpoint."""
        for found in self._client.pages(f"{self._at}/issues", labels=LABEL, state="all"):
            if _is_ours(found) and "pull_request" not in found:
                yield Issue(str(found["number"]), found["body"] or "", found["state"] == "open")

    def open_issue(self, title: str, text: str) -> None:
        """Open an issue; HostingError where GitHub drops the label, since nobody would find it again."""
        made = self._client.send("POST", f"{self._at}/issues", {"title": title, "body": text, "labels": [LABEL]})
        if LABEL not in [label["name"] for label in made["labels"]]:
            raise HostingError(
                f"GitHub has left the label {LABEL} out of issue {made['number']}, so the next run would not find it; "
                "make that label, put it on the issue, and see that the job has `issues: write`"
            )

    def change_issue(self, issue: Issue, text: str, *, drifted: bool) -> None:
        """Give an issue a text; it is open where there is drift, closed where not."""
        state = {"state": "open"} if drifted else {"state": "closed", "state_reason": "completed"}
        self._client.send("PATCH", f"{self._at}/issues/{issue.id}", {"body": text, **state})

    def remark(self, issue: Issue, text: str) -> None:
        """Write a comment on an issue."""
        self._client.send("POST", f"{self._at}/issues/{issue.id}/comments", {"body": text})

    def review(self, most: int) -> Review:
        """Return what was reviewed of the commit that was pushed."""
        pull = self._merged()
        number, head = pull["number"], pull["head"]["sha"]
        name = f"pull request {number}"
        if (pull["head"]["repo"] or {}).get("full_name") != self._repository:
            raise ReviewError(
                f"{name} is from a fork, so it was validated and never planned; run the merge workflow by hand on "
                "this branch: it plans, and who approves its environment reviews that"
            )
        plans = tuple(self._runs.plans(pull, most))
        if not plans:
            raise ReviewError(
                f"the plan of {name} is not there: no run of {WORKFLOW} for its head commit {head} whose job {PLAN} "
                f"succeeded has an artifact xgrant-plan-{number}-{head}-ATTEMPT that has not expired and is older than "
                "the merge; run the merge workflow by hand on this branch"
            )
        return Review(f"{number}-{head}", f"{name}, commit {head}", plans)

    def _merged(self) -> Any:
        commit, branch = self._stated("GITHUB_SHA"), self._stated("GITHUB_REF_NAME")
        found = [
            pull
            for pull in self._client.pages(f"{self._at}/commits/{commit}/pulls")
            if pull["merged_at"] is not None and pull["base"]["ref"] == branch
            and commit in (pull["merge_commit_sha"], pull["head"]["sha"])
        ]  # fmt: skip
        if len(found) > 1:
            numbers = ", ".join(str(pull["number"]) for pull in found)
            raise ReviewError(
                f"commit {commit} is the merge of several pull requests ({numbers}), so nobody can tell which of their "
                "plans was reviewed of it; run the merge workflow by hand on this branch"
            )
        if not found:
            raise ReviewError(
                f"nothing was reviewed: no pull request was merged to {branch} as commit {commit}, so somebody has "
                "pushed it; run the merge workflow by hand on this branch, and protect the branch"
            )
        return found[0]

    def overtaken(self) -> str:
        """Return which newer run of this workflow and branch has had its check succeed, empty where none has."""
        return self._runs.overtaken(self._stated("GITHUB_RUN_ID"))

    def unprotected(self, environment: str) -> tuple[str, ...]:
        """Return what is missing where the approval of an environment is the only review ("Get an environment")."""
        try:
            found = self._client.get(f"{self._at}/environments/{quote(environment, safe='')}")
        except HostingError as error:
            if error.status != 404:
                raise
            rules = []
        else:
            rules = found["protection_rules"]
        if any(rule["type"] == "required_reviewers" and rule.get("reviewers") for rule in rules):
            return ()
        missing = (
            f"the environment {environment} has no required reviewers, so its jobs begin without anybody's approval; "
            "set them (Settings, Environments; private repositories need GitHub Enterprise for it)"
        )
        return (missing,)

    @property
    def _runs(self) -> Runs:
        return Runs(self._client, self._at)

    @cached_property
    def _pull(self) -> Any:
        try:
            event = json.loads(read_regular(self._stated("GITHUB_EVENT_PATH")))
        except (OSError, ValueError) as error:
            raise UsageError(f"GITHUB_EVENT_PATH: the event cannot be read: {error}") from None
        found = event.get("pull_request")
        if not found:
            raise UsageError("this job is for no pull request: its event has none; run it on `pull_request`")
        return found

    def _stated(self, name: str) -> str:
        return stated(self._environment, name, "GitHub sets it in each job; run this in one")


def _is_ours(found: Any) -> bool:
    return bool((found["user"] or {}).get("login") == BOT)
