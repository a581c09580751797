"""GitLab's API as far as xgrant calls it, with the one project access token that may use it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.pipelines.web import Answer, Api, Call, RefusedError

PROJECT = 42
TOKEN = "glpat-of-the-project"  # It opens nothing.
BOT = {"username": "project_42_bot"}


class GitLabApi(Api):
    """One project, acme/platform/iam."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: dict[int, dict[str, Any]] = {}
        self.notes: list[dict[str, Any]] = []
        self.issues: dict[int, dict[str, Any]] = {}
        self.jobs: dict[int, dict[str, Any]] = {}
        self.pipelines: dict[int, dict[str, Any]] = {}
        self.settings: dict[str, Any] = {
            "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
            "ci_allow_fork_pipelines_to_run_in_parent_project": False,
        }
        self.protected = {"production"}
        self._last = 100
        at = f"/api/v4/projects/{PROJECT}"
        self.routes = {
            "GET /api/v4/user": lambda call: self._checked(call, Answer(200, BOT)),
            f"GET {at}/(merge_requests|issues)/(\\d+)/notes": self._list_notes,
            f"POST {at}/(merge_requests|issues)/(\\d+)/notes": self._add_note,
            f"PUT {at}/merge_requests/(\\d+)/notes/(\\d+)": self._edit_note,
            f"GET {at}/issues": self._list_issues,
            f"POST {at}/issues": self._add_issue,
            f"PUT {at}/issues/(\\d+)": self._edit_issue,
            f"GET {at}/repository/commits/(\\w+)/merge_requests": self._requests_of,
            f"GET {at}/merge_requests/(\\d+)": lambda call, iid: self._checked(
                call, Answer(200, self.requests[int(iid)])
            ),
            f"GET {at}": lambda call: self._checked(call, Answer(200, self.settings)),
            f"GET {at}/protected_environments/(\\w+)": self._protected,
            f"GET {at}/pipelines": self._list_pipelines,
            f"GET {at}/pipelines/(\\d+)/jobs": self._list_jobs,
            f"GET {at}/jobs/(\\d+)/artifacts/plan.json": self._artifact,
        }

    @property
    def base(self) -> str:
        return f"{self.url}/api/v4"

    def number(self) -> int:
        self._last += 1
        return self._last

    def request(self, branch: str, sha: str, *, source: int = PROJECT) -> int:
        """Open a merge request."""
        iid = self.number()
        self.requests[iid] = {
            "iid": iid, "state": "opened", "target_branch": "main", "source_branch": branch, "sha": sha,
            "merged_at": None, "merge_commit_sha": None, "squash_commit_sha": None, "source_project_id": source,
            "target_project_id": PROJECT, "head_pipeline": None,
        }  # fmt: skip
        return iid

    def says(self, iid: int, user: str, body: str) -> None:
        """Let a person write a note on a merge request."""
        self._note("merge_requests", iid, body, {"username": user})

    def _note(self, kind: str, iid: int, body: str, author: dict[str, str]) -> dict[str, Any]:
        found = {"id": self.number(), "on": (kind, iid), "author": author, "system": False, "body": body}
        self.notes.append(found)
        return found

    def _checked(self, call: Call, answer: Answer) -> Answer:
        if call.headers.get("private-token") != TOKEN:
            raise RefusedError(401, "401 Unauthorized")
        return answer

    def _list_notes(self, call: Call, kind: str, iid: str) -> Answer:
        return self._checked(call, self.page(call, [one for one in self.notes if one["on"] == (kind, int(iid))]))

    def _add_note(self, call: Call, kind: str, iid: str) -> Answer:
        self._checked(call, Answer())
        return Answer(201, self._note(kind, int(iid), call.body["body"], BOT))

    def _edit_note(self, call: Call, _: str, note: str) -> Answer:
        (found,) = [one for one in self.notes if one["id"] == int(note)]
        if found["author"] != BOT:
            raise RefusedError(403, "403 Forbidden")
        found["body"] = call.body["body"]
        return self._checked(call, Answer(200, found))

    def _list_issues(self, call: Call) -> Answer:
        found = [one for one in self.issues.values() if call.query["labels"] in one["labels"]]
        return self._checked(call, self.page(call, found[::-1]))

    def _add_issue(self, call: Call) -> Answer:
        self._checked(call, Answer())
        iid = self.number()
        self.issues[iid] = {"iid": iid, "author": BOT, "state": "opened", **call.body, "labels": [call.body["labels"]]}
        return Answer(201, self.issues[iid])

    def _edit_issue(self, call: Call, iid: str) -> Answer:
        event = call.body.pop("state_event", None)
        self.issues[int(iid)] |= {
            **call.body,
            **({"state": "closed" if event == "close" else "opened"} if event else {}),
        }
        return self._checked(call, Answer(200, self.issues[int(iid)]))

    def _requests_of(self, call: Call, sha: str) -> Answer:
        keys = ("sha", "merge_commit_sha", "squash_commit_sha")
        found = [one for one in self.requests.values() if sha in [one[key] for key in keys]]
        # A list does not have the pipelines.
        shown = [{key: value for key, value in one.items() if key != "head_pipeline"} for one in found]
        return self._checked(call, self.page(call, shown))

    def now(self) -> str:
        """Return a time; each is later than the one before."""
        return f"{datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(seconds=self.number()):%Y-%m-%dT%H:%M:%S.000Z}"

    def _protected(self, call: Call, name: str) -> Answer:
        self._checked(call, Answer())
        if name not in self.protected:
            raise RefusedError(404, "404 Not found")
        return Answer(200, {"name": name})

    def _list_pipelines(self, call: Call) -> Answer:
        found = [one for one in self.pipelines.values() if one["ref"] == call.query["ref"]]
        return self._checked(call, self.page(call, sorted(found, key=lambda one: -one["id"])))

    def _list_jobs(self, call: Call, pipeline: str) -> Answer:
        found = [one for one in self.jobs.values() if one["pipeline"] == int(pipeline)]
        newest = {one["name"]: one["id"] for one in found}
        every = call.query.get("include_retried") == "true"
        keys = ("id", "name", "status", "finished_at", "started_at", "failure_reason")
        shown = [
            {"started_at": None} | {key: one[key] for key in keys if key in one} | {"artifacts": [{"file_type": "archive"}] if one["artifacts"] else []}
            for one in found if every or newest[one["name"]] == one["id"]
        ]  # fmt: skip
        return self._checked(call, self.page(call, shown))

    def _artifact(self, call: Call, job: str) -> Answer:
        content = self.jobs[int(job)]["artifacts"].get("plan.json")
        if content is None:
            raise RefusedError(404, "404 Not Found")
        return self._checked(call, Answer(200, content))
