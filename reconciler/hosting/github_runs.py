"""Runs of GitHub's workflows: which one has overtaken another, and the plans that those of a pull request have left.

Endpoints as in GitHub's REST API reference: "Get a workflow run", "List workflow runs for a workflow", "List workflow
runs for a repository", "List jobs for a workflow run", "List workflow run artifacts", "Download an artifact".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from reconciler.errors import ReviewError
from reconciler.hosting.archive import only_file
from reconciler.hosting.http import Client

WORKFLOW, PLAN = ".github/workflows/xgrant-pull-request.yml", "Plan"
"""The workflow whose runs leave plans, by its path in the repository, and the job that does."""

CHECK = "Compare with what was reviewed"
"""The job of the merge workflow after whose success a run may write."""

MOST_PLANS = 20
"""Of how many plans of one commit is looked whether they are one."""

_ON_BRANCH = ("push", "workflow_dispatch")
"""The events of runs that only who may write to the branch can make: a pull request of a fork names its branch, too."""


class Runs:
    """The runs of one repository; `at` is where the API has it."""

    def __init__(self, client: Client, at: str) -> None:
        self._client, self._at = client, at

    def overtaken(self, run: str) -> str:
        """Return which newer run of the same workflow and branch has overtaken one, empty where none has.

        Raises:
            ReviewError: there are so many newer ones that GitHub does not list them all; or this run has no job of the
                name by which newer ones are known.

        """
        own = self._client.get(f"{self._at}/actions/runs/{run}")
        # In a workflow whose job has another name no run would ever be overtaken.
        if CHECK not in {one["name"] for one in self._jobs(own["id"])}:
            raise ReviewError(
                f"this run has no job `{CHECK}`, by which it is known that a newer run has overtaken it; nothing was "
                "changed. Give the job that compares this very name, in the workflow itself and in no reusable one"
            )
        query = {"branch": own["head_branch"], "created": f">={own['created_at']}"}
        path = f"{self._at}/actions/workflows/{own['workflow_id']}/runs"
        seen = False
        # The newest come first, as a rule; what counts is that none is missing, and ours is the oldest.
        for other in self._client.pages(path, "workflow_runs", **query):
            seen = seen or other["id"] == own["id"]
            newer = other["run_number"] > own["run_number"] and other["event"] in _ON_BRANCH
            if newer and self._attempts(other["id"], CHECK):
                return f"run {other['run_number']} ({other['html_url']})"
        if not seen:
            raise ReviewError(
                f"GitHub does not list run {run} among those of its workflow, so nobody can tell whether a newer one "
                "has overtaken it; nothing was changed. Run the merge workflow by hand on this branch"
            )
        return ""

    def plans(self, pull: Any, most: int) -> Iterator[bytes]:
        """Yield the plans that were made of a merged pull request's head commit before the merge, the oldest first.

        Raises:
            ReviewError: there are more than can be looked at, or one is no archive with one file.

        """
        head, name = pull["head"]["sha"], f"pull request {pull['number']}"
        found = [
            artifact
            for run in self._client.pages(
                f"{self._at}/actions/runs", "workflow_runs", head_sha=head, event="pull_request"
            )
            if _is_of(run, pull)
            for artifact in self._artifacts(run["id"], f"xgrant-plan-{pull['number']}-{head}-")
            # Who approves and merges has not seen what is made later.
            if _time(artifact["created_at"]) < _time(pull["merged_at"])
        ]  # fmt: skip
        if len(found) > MOST_PLANS:
            raise ReviewError(
                f"{name} has more than {MOST_PLANS} plans of its head commit {head}, too many to look whether they are "
                "one; run the merge workflow by hand on this branch"
            )
        for artifact in sorted(found, key=lambda one: (_time(one["created_at"]), one["id"])):
            content = self._client.download(f"{self._at}/actions/artifacts/{artifact['id']}/zip", most)
            yield only_file(content, most, f"the artifact {artifact['name']} of {name}")

    def _artifacts(self, run: int, prefix: str) -> Iterator[Any]:
        """Yield the artifacts of the attempts of a run whose job has planned."""
        wanted = {f"{prefix}{attempt}" for attempt in self._attempts(run, PLAN)}
        for found in self._client.pages(f"{self._at}/actions/runs/{run}/artifacts", "artifacts"):
            if found["name"] in wanted and not found["expired"]:
                yield found

    def _attempts(self, run: int, job: str) -> set[int]:
        """Return the attempts of a run in which a job has succeeded."""
        found = self._jobs(run)
        return {one["run_attempt"] for one in found if one["name"] == job and one["conclusion"] == "success"}

    def _jobs(self, run: int) -> Iterator[Any]:
        """Yield the jobs of a run, those of all its attempts."""
        return self._client.pages(f"{self._at}/actions/runs/{run}/jobs", "jobs", filter="all")


def _is_of(run: Any, pull: Any) -> bool:
    """Return whether a run may be of a pull request: GitHub names those that are open still, of a merged one none.

    The same commit may have other pull requests, to branches with other workflows.
    """
    named = [each["number"] for each in run["pull_requests"]]
    if run["head_sha"] != pull["head"]["sha"] or run["path"].partition("@")[0] != WORKFLOW:
        return False
    return pull["number"] in named or (not named and run["head_branch"] == pull["head"]["ref"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
