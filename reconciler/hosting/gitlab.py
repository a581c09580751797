"""GitLab: notes on merge requests, issues, and the plans that jobs of merge request pipelines have left.

Endpoints as in GitLab's REST API reference: notes, issues, "List merge requests associated with a commit", "Get single
merge request", "List pipeline jobs", "Download a single artifact file by job ID". The token of a job may do little of
that (documentation of CI_JOB_TOKEN), so it takes GITLAB_TOKEN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from reconciler.errors import HostingError, ReviewError
from reconciler.hosting.environment import stated
from reconciler.hosting.http import Client
from reconciler.hosting.model import LABEL, Comment, Issue, Review

JOB, FILE = "xgrant-plan", "plan.json"
"""The job that leaves plans, and the file that it leaves."""


class GitLab:
    """A `Host`; see there."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        what = "make a project access token with the role Reporter and the scope api, as a masked variable of that name"
        self._client = Client(
            self._stated("CI_API_V4_URL"), {"PRIVATE-TOKEN": stated(environment, "GITLAB_TOKEN", what)}
        )
        self._at = f"projects/{quote(self._stated('CI_PROJECT_ID'), safe='')}"

    @property
    def head(self) -> str:
        """The head commit of the merge request; in a pipeline of its merged result the job's commit is another."""
        return self._environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or self._stated("CI_COMMIT_SHA")

    @property
    def job(self) -> str:
        """Where the job can be seen."""
        return self._environment.get("CI_JOB_URL", "")

    def comments(self) -> Iterator[Comment]:
        """Yield the notes that our token has written on the merge request."""
        for found in self._client.pages(f"{self._request}/notes"):
            if found["author"]["username"] == self._ourselves and not found["system"]:
                yield Comment(str(found["id"]), found["body"])

    def comment(self, text: str, at: Comment | None) -> None:
        """Write a note."""
        body = {"body": _without_actions(text)}
        if at is None:
            self._client.send("POST", f"{self._request}/notes", body)
        else:
            self._client.send("PUT", f"{self._request}/notes/{at.id}", body)

    def issues(self) -> Iterator[Issue]:
        """Yield the issues, the newest first."""
        for found in self._client.pages(f"{self._at}/issues", labels=LABEL, scope="all"):
            if found["author"]["username"] == self._ourselves:
                yield Issue(str(found["iid"]), found["description"] or "", found["state"] == "opened")

    def open_issue(self, title: str, text: str) -> None:
        """Open an issue."""
        body = {"title": title, "description": _without_actions(text), "labels": LABEL}
        self._client.send("POST", f"{self._at}/issues", body)

    def change_issue(self, issue: Issue, text: str, *, drifted: bool) -> None:
        """Give an issue a text; it is open where there is drift, closed where not."""
        state = {} if issue.open is drifted else {"state_event": "reopen" if drifted else "close"}
        self._client.send("PUT", f"{self._at}/issues/{issue.id}", {"description": _without_actions(text), **state})

    def remark(self, issue: Issue, text: str) -> None:
        """Write a note on an issue."""
        self._client.send("POST", f"{self._at}/issues/{issue.id}/notes", {"body": _without_actions(text)})

    def review(self, most: int) -> Review:
        """Return what was reviewed of the commit of this job."""
        request = self._merged()
        name = f"merge request {request['iid']}"
        pipeline = (self._client.get(f"{self._at}/merge_requests/{request['iid']}") or {}).get("head_pipeline")
        missing = (
            f"the plan of {name} is not there: the pipeline of its head commit {request['sha']} has no job {JOB} that "
            "succeeded, or what it left has expired; run a pipeline by hand on this branch"
        )
        if not pipeline or pipeline.get("source") != "merge_request_event":
            raise ReviewError(missing)
        jobs = self._client.pages(f"{self._at}/pipelines/{pipeline['id']}/jobs")
        found = [job["id"] for job in jobs if job["name"] == JOB and job["status"] == "success"]
        if not found:
            raise ReviewError(missing)
        try:
            plan = self._client.download(f"{self._at}/jobs/{max(found)}/artifacts/{FILE}", most)
        except HostingError as error:
            if error.status == 404:
                raise ReviewError(missing) from None
            raise
        return Review(request["sha"], name, plan)

    def _merged(self) -> Any:
        commit, branch = self._stated("CI_COMMIT_SHA"), self._stated("CI_COMMIT_BRANCH")
        for request in self._client.pages(f"{self._at}/repository/commits/{commit}/merge_requests"):
            commits = (request["merge_commit_sha"], request["squash_commit_sha"], request["sha"])
            if request["state"] == "merged" and request["target_branch"] == branch and commit in commits:
                if request["source_project_id"] != request["target_project_id"]:
                    raise ReviewError(
                        f"merge request {request['iid']} is from a fork, so it was never planned here; run a pipeline "
                        "by hand on this branch: it plans, and who starts the apply reviews that"
                    )
                return request
        raise ReviewError(
            f"nothing was reviewed: no merge request was merged to {branch} as commit {commit}, so somebody has pushed "
            "it; run a pipeline by hand on this branch, and protect the branch"
        )

    @cached_property
    def _ourselves(self) -> str:
        return str(self._client.get("user")["username"])

    @property
    def _request(self) -> str:
        what = "this job is for no merge request; run it in merge request pipelines"
        return f"{self._at}/merge_requests/{stated(self._environment, 'CI_MERGE_REQUEST_IID', what)}"

    def _stated(self, name: str) -> str:
        return stated(self._environment, name, "GitLab sets it in each job; run this in one")


def _without_actions(text: str) -> str:
    """Return a text no line of which is a quick action: GitLab would do what a line like `/close` says."""
    return re.sub(r"(?m)^/", "&#47;", text)
