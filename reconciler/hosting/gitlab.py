"""GitLab: notes on merge requests, issues, and the plans that jobs of merge request pipelines have left.

Endpoints as in GitLab's REST API reference: notes, issues, "List merge requests associated with a commit", "Get single
merge request", "List pipeline jobs", "Download a single artifact file by job ID", "List project pipelines", "Retrieve a
project", "Get a single protected environment". The token of a job may do little of that (documentation of
CI_JOB_TOKEN), so it takes GITLAB_TOKEN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from reconciler.errors import HostingError, ReviewError
from reconciler.hosting.environment import stated
from reconciler.hosting.http import Client
from reconciler.hosting.model import LABEL, Comment, Issue, Review

PLAN, FILE, APPLY = "xgrant-plan", "plan.json", "xgrant-apply"
"""The job that leaves plans, the file that it leaves, and the job that writes to AWS."""


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
    def commit(self) -> str:
        """The commit of the job; in a pipeline of a merged result the one that would merge the request."""
        return self._stated("CI_COMMIT_SHA")

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
        listed = self._merged()
        iid = listed["iid"]
        # Only a merge request by itself has its pipeline.
        request = self._client.get(f"{self._at}/merge_requests/{iid}")
        name = f"merge request {iid}"
        plans = tuple(self._plans(request, most))
        if not plans:
            raise ReviewError(
                f"the plan of {name} is not there: the pipeline of its head commit {request['sha']} has no job {PLAN} "
                "that succeeded before the merge, or what it left has expired; run a pipeline by hand on this branch"
            )
        return Review(f"{iid}-{request['sha']}", f"{name}, commit {request['sha']}", plans)

    def _plans(self, request: Any, most: int) -> Iterator[bytes]:
        """Yield what the jobs of a request's pipeline have planned before the merge, the oldest first."""
        pipeline = request.get("head_pipeline")
        if not pipeline or pipeline.get("source") != "merge_request_event":
            return
        merged = datetime.fromisoformat(request["merged_at"])
        for job in sorted(self._jobs(pipeline["id"], PLAN), key=lambda job: int(job["id"])):
            # Who approves and merges has not seen what is made later.
            if job["status"] != "success" or datetime.fromisoformat(job["finished_at"]) >= merged:
                continue
            try:
                yield self._client.download(f"{self._at}/jobs/{job['id']}/artifacts/{FILE}", most)
            except HostingError as error:
                if error.status != 404:  # So is one that has expired.
                    raise

    def _jobs(self, pipeline: int, name: str) -> Iterator[Any]:
        """Yield the jobs of a pipeline by that name, those that were run again included."""
        for job in self._client.pages(f"{self._at}/pipelines/{pipeline}/jobs", include_retried="true"):
            if job["name"] == name:
                yield job

    def overtaken(self) -> str:
        """Return which newer pipeline of this branch has applied or does, empty where none has.

        Raises:
            ReviewError: GitLab does not list this pipeline, or it has no job of the name by which others are known.

        """
        own, branch = int(self._stated("CI_PIPELINE_ID")), self._stated("CI_COMMIT_BRANCH")
        if not any(self._jobs(own, APPLY)):
            raise ReviewError(
                f"this pipeline has no job {APPLY}, by which it is known that a newer one has overtaken it; nothing "
                "was changed. Give the job that applies this very name"
            )
        for other in self._client.pages(f"{self._at}/pipelines", ref=branch, order_by="id", sort="desc"):
            if other["id"] == own:
                return ""
            if any(map(_writes, self._jobs(other["id"], APPLY))):
                return f"pipeline {other['id']} ({other['web_url']})"
        raise ReviewError(
            f"GitLab does not list pipeline {own} among those of {branch}, so nobody can tell whether a newer one has "
            "overtaken it; nothing was changed. Run a pipeline by hand on this branch"
        )

    def unprotected(self, environment: str) -> tuple[str, ...]:
        """Return what is missing of the settings by which only what was reviewed is applied, or cannot be seen."""
        project = self._client.get(self._at)
        role = project.get("ci_pipeline_variables_minimum_override_role")
        found = []
        if role != "no_one_allowed":
            found.append(
                f"the minimum role to use pipeline variables is {role or 'not shown to GITLAB_TOKEN'}: whoever has it "
                "can have the jobs of this branch do anything with their roles of AWS; set it to `No one allowed` "
                "(Settings, CI/CD, Variables)"
            )
        if project.get("ci_allow_fork_pipelines_to_run_in_parent_project") is not False:
            found.append(
                "members may run the pipelines of forks in this project, with GITLAB_TOKEN and the role that plans, "
                "or it is not shown to GITLAB_TOKEN; turn it off (Settings, CI/CD, General pipelines)"
            )
        try:
            self._client.get(f"{self._at}/protected_environments/{quote(environment, safe='')}")
        except HostingError as error:
            if error.status not in (403, 404):
                raise
            found.append(
                f"the environment {environment} is not protected, or it is not shown to GITLAB_TOKEN: nobody has to "
                "approve a deployment to it; protect it (Settings, CI/CD, Protected environments; GitLab Premium)"
            )
        return tuple(found)

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


def _writes(job: Any) -> bool:
    """Return whether a job that applies may have written: it leaves an archive with its record, once it begins to.

    One that is cut off leaves nothing, as at its timeout (gitlab-org/gitlab issue 19818).
    """
    if job["status"] in ("success", "running", "canceling"):
        return True
    if "archive" in [each["file_type"] for each in job["artifacts"]]:
        return True
    cut_off = job["status"] == "canceled" or job.get("failure_reason") not in (None, "script_failure")
    return bool(job["started_at"]) and cut_off


def _without_actions(text: str) -> str:
    """Return a text no line of which is a quick action: GitLab would do what a line like `/close` says."""
    return re.sub(r"(?m)^/", "&#47;", text)
