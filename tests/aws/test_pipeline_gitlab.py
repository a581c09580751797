"""The template that users of GitLab copy, from a merge request to what is applied, with the roles of the bootstrap."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.bootstrap.jobs import gitlab
from reconciler.bootstrap.options import Options
from reconciler.sandbox.scenario import CLEARED, TARGET, root_client
from reconciler.sandbox.server import Sandbox
from tests.aws.bootstrap_support import bootstrap
from tests.conftest import seeded
from tests.pipelines.gitlab_api import PROJECT, GitLabApi
from tests.pipelines.gitlab_ci import PATH, Job, Runner
from tests.pipelines.repository import Repository
from tests.pipelines.world import APPLY_ROLE, PLAN_ROLE, grant, manifest, starter
from tests.snapshots import once

VARIABLES = {
    "XGRANT_PLAN_ROLE": PLAN_ROLE, "XGRANT_APPLY_ROLE": APPLY_ROLE, "XGRANT_REGION": "us-east-1",
}  # fmt: skip


def _deployed(sandbox: Sandbox) -> Options:
    seeded(sandbox)
    return bootstrap(sandbox, jobs=gitlab(PATH, "main"))


deployed = once(_deployed)


@dataclass
class Project:
    """The project acme/platform/iam, with the template."""

    sandbox: Sandbox
    repository: Repository
    api: GitLabApi
    runner: Runner

    def request(self, branch: str, files: Mapping[str, str | None], *, source: int = PROJECT) -> int:
        return self.api.request(branch, self.repository.commit(branch, files), source=source)

    def plan(self, iid: int) -> dict[str, Job]:
        request = self.api.requests[iid]
        return self.runner.pipeline(
            "merge_request_event", request["source_branch"], request["sha"], CI_MERGE_REQUEST_IID=str(iid),
            CI_MERGE_REQUEST_SOURCE_PROJECT_ID=str(request["source_project_id"]),
        )  # fmt: skip

    def merge(self, iid: int, *, squash: bool = False) -> str:
        request = self.api.requests[iid]
        commit = self.repository.merge(request["source_branch"], squash=squash)
        request |= {
            "state": "merged",
            "merged_at": self.api.now(),
            "squash_commit_sha" if squash else "merge_commit_sha": commit,
        }
        return commit

    def merged(self, commit: str) -> dict[str, Job]:
        return self.runner.pipeline("push", "main", commit)

    def roles(self) -> set[str]:
        self.sandbox.enforce(on=False)
        found = root_client(self.sandbox, "iam", TARGET).list_roles(PathPrefix="/xgrant/")["Roles"]
        self.sandbox.enforce(on=True)
        return {role["RoleName"] for role in found}


@pytest.fixture
def project(sandbox: Sandbox, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    options = deployed(sandbox)
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.url)
    sandbox.enforce(on=True)
    repository = Repository(tmp_path)
    repository.commit("main", {**starter("gitlab"), "manifests/stack.yaml": manifest(options)})
    with GitLabApi() as api:
        yield Project(sandbox, repository, api, Runner(tmp_path, programs, repository, api, VARIABLES))


def _ended(jobs: dict[str, Job]) -> dict[str, str]:
    return {name: job.status for name, job in jobs.items()}


def test_a_merge_request_is_planned_noted_merged_and_applied(project: Project) -> None:
    iid = project.request("reports", grant("reports"))
    project.api.says(iid, "mallory", "<!-- xgrant:plan:platform -->\nNothing to see here")
    for _ in range(2):
        jobs = project.plan(iid)
        assert _ended(jobs) == {"xgrant-validate": "success", "xgrant-plan": "success"}, jobs
    assert json.loads(jobs["xgrant-validate"].artifacts["codequality.json"]) == []
    assert json.loads(jobs["xgrant-plan"].artifacts["terraform.json"])["create"] == 2
    theirs, ours = (note["body"] for note in project.api.notes)
    assert theirs.endswith("Nothing to see here")
    assert "storage/role/reports" in ours
    assert f"This is the plan of commit {project.api.requests[iid]['sha']}." in ours

    jobs = project.merged(project.merge(iid, squash=True))
    assert _ended(jobs) == {"xgrant-reviewed": "success", "xgrant-apply": "success"}, jobs
    assert project.roles() == {"reports"}
    assert json.loads(jobs["xgrant-apply"].artifacts["history.json"])


def test_what_was_not_reviewed_or_has_changed_is_not_applied(project: Project) -> None:
    iid = project.request("reports", grant("reports"))
    project.plan(iid)
    direct = project.merged(project.repository.commit("main", grant("backdoor")))
    assert _ended(direct) == {"xgrant-reviewed": "failed"}
    assert "nothing was reviewed: no merge request was merged" in direct["xgrant-reviewed"].log
    stale = project.merged(project.merge(iid))
    assert _ended(stale) == {"xgrant-reviewed": "success", "xgrant-apply": "failed"}
    assert "the plan is stale; nothing was changed" in stale["xgrant-apply"].log
    assert stale["xgrant-apply"].log.endswith("exit 4")
    assert project.roles() == set()
    by_hand = project.runner.pipeline("web", "main", project.repository.git("rev-parse", "main"), manual=True)
    assert _ended(by_hand) == {"xgrant-reviewed": "success", "xgrant-apply": "success"}
    assert project.roles() == {"backdoor", "reports"}


def test_what_was_taken_back_is_not_applied_again_and_a_plan_of_after_the_merge_is_no_review(project: Project) -> None:
    iid = project.request("reports", grant("reports"))
    project.plan(iid)
    project.merged(project.merge(iid))
    first = max(project.api.pipelines)
    revert = project.request("revert", {"manifests/reports.yaml": None})
    project.plan(revert)
    project.merged(project.merge(revert))
    assert project.roles() == set()
    for name in ("xgrant-apply", "xgrant-reviewed"):
        again = project.runner.retry(name, first)
        assert again.status == "failed"
        assert f"this run is overtaken: pipeline {max(project.api.pipelines)} (https://" in again.log
    assert project.roles() == set()

    iid = project.request("readme", {"README.md": "Grants"})
    assert project.plan(iid)["xgrant-plan"].status == "success"
    project.runner.retry("xgrant-plan")
    planned = max(project.api.pipelines)
    merged = project.merged(project.merge(iid))
    assert _ended(merged) == {"xgrant-reviewed": "success", "xgrant-apply": "success"}
    # Without the plans of before the merge there is none.
    for number in [number for number, job in project.api.jobs.items() if job["pipeline"] == planned]:
        project.api.jobs[number]["artifacts"] = {}
    assert project.runner.retry("xgrant-plan", planned).status == "success"
    assert "succeeded before the merge" in project.runner.retry("xgrant-reviewed").log


def test_the_job_of_a_branch_cannot_be_the_role_that_applies_and_a_fork_is_only_validated(project: Project) -> None:
    iid = project.request("reports", grant("reports"))
    project.runner.variables["XGRANT_PLAN_ROLE"] = APPLY_ROLE
    jobs = project.plan(iid)
    assert jobs["xgrant-plan"].status == "failed"
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in jobs["xgrant-plan"].log
    theirs = project.request("theirs", grant("theirs", managed_policies=["nonsense"]), source=7)
    jobs = project.plan(theirs)
    assert _ended(jobs) == {"xgrant-validate": "failed"}
    (found,) = json.loads(jobs["xgrant-validate"].artifacts["codequality.json"])
    assert found["location"]["path"] == "manifests/theirs.yaml"
    merged = project.merged(project.merge(theirs))
    assert "is from a fork, so it was never planned here" in merged["xgrant-reviewed"].log


def test_one_issue_tells_of_drift_until_there_is_none(project: Project) -> None:
    project.repository.commit("main", grant("reports"))
    commit = project.repository.git("rev-parse", "main")
    for _ in range(2):
        assert _ended(project.runner.pipeline("schedule", "main", commit)) == {"xgrant-drift": "success"}
    ((iid, issue),) = project.api.issues.items()
    assert issue["state"] == "opened"
    assert "storage/role/reports" in issue["description"]
    project.runner.pipeline("web", "main", commit, manual=True)
    project.runner.pipeline("schedule", "main", commit)
    assert project.api.issues[iid]["state"] == "closed"
