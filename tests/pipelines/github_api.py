"""GitHub's API as far as xgrant calls it: it knows what the token of a job may do, and refuses the rest."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.pipelines.web import Answer, Api, Call, RefusedError

BOT = {"login": "github-actions[bot]", "type": "Bot"}
LONGEST = 65_536
REPOSITORY = "acme/iam"
_ORDER = ("none", "read", "write")


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class GitHubApi(Api):
    """One repository, acme/iam."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, Mapping[str, str]] = {}
        self.pulls: dict[int, dict[str, Any]] = {}
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.artifacts: dict[int, dict[str, Any]] = {}
        self.jobs: list[dict[str, Any]] = []
        self.environments: dict[str, list[dict[str, Any]]] = {}
        """The protection rules of each environment."""
        self.also_on: dict[str, int] = {}
        """Commits that are part of a pull request, and neither its head nor its merge."""
        self.filters = True
        """Whether lists of runs have only those that are asked for."""
        self.unlisted: set[int] = set()
        """Runs that are too old for the list of those of a workflow."""
        self.drops_labels = False
        self._last = 1000
        at = f"/repos/{REPOSITORY}"
        self.routes = {
            f"GET {at}/issues/(\\d+)/comments": self._list_comments,
            f"POST {at}/issues/(\\d+)/comments": self._add_comment,
            f"PATCH {at}/issues/comments/(\\d+)": self._edit_comment,
            f"GET {at}/issues": self._list_issues,
            f"POST {at}/issues": self._add_issue,
            f"PATCH {at}/issues/(\\d+)": self._edit_issue,
            f"GET {at}/commits/(\\w+)/pulls": self._pulls_of,
            f"GET {at}/actions/runs": self._list_runs,
            f"GET {at}/actions/runs/(\\d+)": self._get_run,
            f"GET {at}/actions/runs/(\\d+)/jobs": self._list_jobs,
            f"GET {at}/actions/workflows/(\\d+)/runs": self._list_runs,
            f"GET {at}/environments/([^/]+)": self._get_environment,
            f"GET {at}/actions/runs/(\\d+)/artifacts": self._list_artifacts,
            f"GET {at}/actions/artifacts/(\\d+)/zip": self._redirect,
            "GET /storage/(\\d+)": self._download,
        }

    def token(self, permissions: Mapping[str, str]) -> str:
        """Return a new token of a job with these permissions."""
        found = f"ghs_{secrets.token_hex(18)}"
        self.tokens[found] = dict(permissions)
        return found

    def number(self) -> int:
        self._last += 1
        return self._last

    def now(self) -> str:
        """Return a time; each is later than the one before."""
        return f"{datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(seconds=self.number()):%Y-%m-%dT%H:%M:%SZ}"

    def begin(self, run: int, path: str, *, event: str, head_sha: str, head_branch: str) -> None:
        """Note that a run of a workflow begins."""
        same = [other for other in self.runs.values() if other["path"] == path]
        # As long as files are not deleted, each has one number.
        workflow = sum(map(ord, path))
        self.runs[run] = {
            "id": run, "workflow_id": workflow, "run_number": len(same) + 1, "path": path, "event": event,
            "head_sha": head_sha, "head_branch": head_branch, "created_at": self.now(), "conclusion": None,
            "html_url": f"https://github.com/{REPOSITORY}/actions/runs/{run}",
        }  # fmt: skip

    def started(self, run: int, name: str, attempt: int) -> None:
        """Note that a job begins."""
        self.jobs.append({"run": run, "name": name, "conclusion": None, "run_attempt": attempt})

    def ended(self, run: int, name: str, result: str, attempt: int) -> None:
        """Note what a job came to."""
        self.jobs = [
            job for job in self.jobs if (job["run"], job["name"], job["run_attempt"]) != (run, name, attempt)
        ]  # fmt: skip
        self.jobs.append({"run": run, "name": name, "conclusion": result, "run_attempt": attempt})

    def pull(self, branch: str, sha: str, *, repository: str = REPOSITORY, base: str = "main") -> int:
        """Open a pull request."""
        number = self.number()
        self.pulls[number] = {
            "number": number, "merged_at": None, "merge_commit_sha": None, "base": {"ref": base},
            "head": {"ref": branch, "sha": sha, "repo": {"full_name": repository}},
        }  # fmt: skip
        return number

    def says(self, number: int, user: str, body: str) -> int:
        """Let a person comment."""
        found = self.number()
        self.comments[found] = {"id": found, "on": number, "user": {"login": user, "type": "User"}, "body": body}
        return found

    def keep(self, run: int, name: str, files: Mapping[str, bytes], *, overwrite: bool = False) -> bool:
        """Keep an artifact of a run; return whether it is: only with `overwrite` in the place of one of that name."""
        same = [number for number, one in self.artifacts.items() if (one["run"], one["name"]) == (run, name)]
        if same and not overwrite:
            return False
        for number in same:
            del self.artifacts[number]
        found = self.number()
        self.artifacts[found] = {
            "id": found, "name": name, "run": run, "expired": False, "created_at": self.now(), "zip": zipped(files),
        }  # fmt: skip
        return True

    def _may(self, call: Call, *any_of: tuple[str, str]) -> None:
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise RefusedError(401, "Bad credentials")
        has = self.tokens[token]
        if not any(_ORDER.index(has.get(scope, "none")) >= _ORDER.index(level) for scope, level in any_of):
            raise RefusedError(403, "Resource not accessible by integration")

    def _list_comments(self, call: Call, number: str) -> Answer:
        self._may(call, ("issues", "read"), ("pull-requests", "read"))
        return self.page(call, [one for one in self.comments.values() if one["on"] == int(number)])

    def _add_comment(self, call: Call, number: str) -> Answer:
        scope = "pull-requests" if int(number) in self.pulls else "issues"
        self._may(call, (scope, "write"))
        _check_length(call.body["body"])
        found = self.number()
        self.comments[found] = {"id": found, "on": int(number), "user": BOT, "body": call.body["body"]}
        return Answer(201, self.comments[found])

    def _edit_comment(self, call: Call, number: str) -> Answer:
        self._may(call, ("issues", "write"), ("pull-requests", "write"))
        _check_length(call.body["body"])
        self.comments[int(number)]["body"] = call.body["body"]
        return Answer(200, self.comments[int(number)])

    def _list_issues(self, call: Call) -> Answer:
        self._may(call, ("issues", "read"))
        wanted = call.query.get("labels", "")
        found = [one for one in self.issues.values() if wanted in [label["name"] for label in one["labels"]]]
        return self.page(call, sorted(found, key=lambda one: -one["number"]))

    def _add_issue(self, call: Call) -> Answer:
        self._may(call, ("issues", "write"))
        labels = [] if self.drops_labels else [{"name": name} for name in call.body["labels"]]
        number = self.number()
        self.issues[number] = {
            "number": number, "title": call.body["title"], "body": call.body["body"], "labels": labels, "user": BOT,
            "state": "open",
        }  # fmt: skip
        return Answer(201, self.issues[number])

    def _edit_issue(self, call: Call, number: str) -> Answer:
        self._may(call, ("issues", "write"))
        self.issues[int(number)].update(call.body)
        return Answer(200, self.issues[int(number)])

    def _pulls_of(self, call: Call, sha: str) -> Answer:
        self._may(call, ("pull-requests", "read"))
        found = [
            one for number, one in self.pulls.items()
            if sha in (one["merge_commit_sha"], one["head"]["sha"]) or self.also_on.get(sha) == number
        ]  # fmt: skip
        return self.page(call, found)

    def _list_runs(self, call: Call, workflow: str = "") -> Answer:
        self._may(call, ("actions", "read"))
        query = {key: value for key, value in call.query.items() if key not in ("per_page", "page")}
        since = query.pop("created", ">=").removeprefix(">=")
        names = {"branch": "head_branch", "status": "conclusion"}
        found = [
            self._shown(run) for run in self.runs.values()
            if not self.filters or (all(run[names.get(key, key)] == value for key, value in query.items())
            and run["id"] not in self.unlisted and run["created_at"] >= since and workflow in ("", str(run["workflow_id"])))
        ]  # fmt: skip
        return self.page(call, found[::-1], "workflow_runs")

    def _shown(self, run: dict[str, Any]) -> dict[str, Any]:
        """Return a run, which names the pull requests of its branch that are open: of one that is merged none."""
        named = [
            {"number": pull["number"]} for pull in self.pulls.values()
            if pull["merged_at"] is None and pull["head"]["ref"] == run["head_branch"]
            and (pull["head"]["repo"] or {}).get("full_name") == REPOSITORY
        ]  # fmt: skip
        return {"pull_requests": named, **run}

    def _get_run(self, call: Call, run: str) -> Answer:
        self._may(call, ("actions", "read"))
        return Answer(200, self._shown(self.runs[int(run)]))

    def _list_jobs(self, call: Call, run: str) -> Answer:
        self._may(call, ("actions", "read"))
        found = [job for job in self.jobs if job["run"] == int(run)]
        last = max((job["run_attempt"] for job in found), default=0)
        shown = [job for job in found if call.query.get("filter") == "all" or job["run_attempt"] == last]
        return self.page(call, shown, "jobs")

    def _get_environment(self, call: Call, name: str) -> Answer:
        self._may(call, ("actions", "read"))
        if name not in self.environments:
            raise RefusedError(404, "Not Found")
        return Answer(200, {"name": name, "protection_rules": self.environments[name]})

    def _list_artifacts(self, call: Call, run: str) -> Answer:
        self._may(call, ("actions", "read"))
        wanted = call.query.get("name")
        keys = ("id", "name", "expired", "created_at")
        found = [
            {key: one[key] for key in keys} for one in self.artifacts.values()
            if one["run"] == int(run) and wanted in (None, one["name"])
        ]  # fmt: skip
        return self.page(call, found, "artifacts")

    def _redirect(self, call: Call, number: str) -> Answer:
        self._may(call, ("actions", "read"))
        return Answer(302, None, {"Location": f"{self.elsewhere}/storage/{number}?signature=secret"})

    def _download(self, call: Call, number: str) -> Answer:
        if "authorization" in call.headers:
            raise RefusedError(400, "InvalidAuthenticationInfo")
        return Answer(200, self.artifacts[int(number)]["zip"])


def _check_length(body: str) -> None:
    if len(body) > LONGEST:
        raise RefusedError(422, f"Body is too long (maximum is {LONGEST} characters)")
