"""What was reviewed of a merge, whether a newer run has overtaken one, and who has to approve it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconciler.errors import HostingError, ReviewError, UsageError
from reconciler.hosting.github import GitHub
from reconciler.hosting.gitlab import GitLab
from reconciler.pipeline.jobs import fetch_review
from reconciler.pipeline.reviews import same_review
from reconciler.planfile import PlanFile
from tests.conftest import Run
from tests.pipelines.github_api import GitHubApi
from tests.pipelines.gitlab_api import GitLabApi
from tests.pipelines.jobs import HEAD, job, on_gitlab
from tests.pipelines.web import Answer


def planned(api: GitHubApi, *, run: Mapping[str, Any] = {}, pull: Mapping[str, Any] = {}) -> int:
    """Plan and merge a pull request, and return the number of its artifact."""
    number = api.pull("branch", "b" * 40)
    found = plan_again(api, number, **run)
    api.pulls[number] |= {"merged_at": api.now(), "merge_commit_sha": HEAD, **pull}
    return found


def plan_again(api: GitHubApi, number: int, plan: bytes = b"{}", **run: Any) -> int:
    """Plan the head commit of a pull request, and return the number of the artifact."""
    found = api.number()
    path = ".github/workflows/xgrant-pull-request.yml@main"
    api.begin(found, path, event="pull_request", head_sha="b" * 40, head_branch="branch")
    api.runs[found] |= {"pull_requests": [{"number": number}], **run}
    api.ended(found, "Plan", run.get("conclusion", "success"), 1)
    assert api.keep(found, f"xgrant-plan-{number}-{'b' * 40}-1", {"plan.json": plan})
    return max(api.artifacts)


def test_the_reviewed_plans_are_all_that_were_made_of_the_head_commit_before_the_merge(
    github: GitHubApi, tmp_path: Path
) -> None:
    first = planned(github)
    number = min(github.pulls)
    second = plan_again(github, number, b"[]", pull_requests=[], conclusion="success")
    github.artifacts[second]["created_at"] = github.artifacts[first]["created_at"]
    plan_again(github, number, b"later")
    plan_again(github, number, b"of another branch", pull_requests=[], head_branch="evil")
    found = GitHub(job(github, tmp_path)).review(1000)
    assert (found.name, found.plans) == (f"{number}-{'b' * 40}", (b"{}", b"[]"))
    assert {call.headers.get("authorization") for call in github.calls if call.path.startswith("/storage/")} == {None}


def test_more_plans_of_one_commit_than_can_be_looked_at_are_no_review(github: GitHubApi, tmp_path: Path) -> None:
    planned(github)
    number = min(github.pulls)
    for _ in range(20):
        plan_again(github, number)
    github.pulls[number]["merged_at"] = github.now()
    with pytest.raises(ReviewError, match="has more than 20 plans of its head commit"):
        GitHub(job(github, tmp_path)).review(1000)


def test_a_commit_of_several_pull_requests_is_nobodys(github: GitHubApi, tmp_path: Path) -> None:
    for _ in range(2):
        planned(github)
    with pytest.raises(ReviewError, match=r"is the merge of several pull requests \(1001, \d+\)"):
        GitHub(job(github, tmp_path)).review(1000)


def test_a_pull_request_that_merely_has_the_commit_is_not_the_merged_one(github: GitHubApi, tmp_path: Path) -> None:
    planned(github, pull={"merge_commit_sha": "c" * 40})
    github.also_on = {HEAD: min(github.pulls)}
    with pytest.raises(ReviewError, match="nothing was reviewed"):
        GitHub(job(github, tmp_path)).review(1000)


CHECK = "Compare with what was reviewed"


def run_of(
    api: GitHubApi, *, check: str = "", name: str = CHECK, event: str = "push", branch: str = "main",
    path: str = "merge.yml",
) -> int:  # fmt: skip
    """Begin a run, whose check has ended as it is said."""
    number = api.number()
    api.begin(number, path, event=event, head_sha=HEAD, head_branch=branch)
    if check:
        api.ended(number, name, check, 1)
    return number


@pytest.mark.parametrize(
    ("newer", "overtakes"),
    [
        ({"check": "success"}, True),
        ({"check": "success", "event": "workflow_dispatch"}, True),
        ({"check": "failure"}, False),  # It was stale.
        ({}, False),  # It waits.
        ({"check": "success", "name": "Another job"}, False),
        ({"check": "success", "branch": "other"}, False),
        ({"check": "success", "path": "drift.yml"}, False),
        # A fork may name its branch and its jobs as it likes.
        ({"check": "success", "event": "pull_request"}, False),
    ],
)
def test_a_run_is_overtaken_by_a_newer_one_that_was_let_through(
    github: GitHubApi, tmp_path: Path, newer: Mapping[str, str], overtakes: bool
) -> None:
    run_of(github, check="success")
    own = run_of(github, check="success")
    host = GitHub(job(github, tmp_path, GITHUB_RUN_ID=str(own)))
    assert host.overtaken() == ""
    other = run_of(github, **newer)
    for _ in range(3):
        run_of(github)
    assert host.overtaken() == (
        f"run 3 (https://github.com/acme/iam/actions/runs/{other})" if overtakes else ""
    )  # fmt: skip
    # What its jobs came to before they were run again counts, too.
    github.ended(other, CHECK, "failure", 2)
    assert bool(host.overtaken()) is overtakes


@pytest.mark.parametrize("name", ["Compare", "iam / Compare with what was reviewed"])
def test_a_run_whose_check_has_another_name_is_not_let_through(github: GitHubApi, tmp_path: Path, name: str) -> None:
    own = run_of(github, check="success", name=name)
    with pytest.raises(ReviewError, match="this run has no job `Compare with what was reviewed`"):
        GitHub(job(github, tmp_path, GITHUB_RUN_ID=str(own))).overtaken()


def test_where_github_does_not_list_a_run_nobody_can_tell_whether_it_is_overtaken(
    github: GitHubApi, tmp_path: Path
) -> None:
    own = run_of(github, check="success")
    github.unlisted = {own}
    with pytest.raises(ReviewError, match=f"GitHub does not list run {own} among those of its workflow"):
        GitHub(job(github, tmp_path, GITHUB_RUN_ID=str(own))).overtaken()


@pytest.mark.parametrize(
    ("rules", "protected"),
    [
        (None, False),
        ([], False),
        ([{"type": "branch_policy"}], False),
        ([{"type": "required_reviewers", "reviewers": []}], False),
        ([{"type": "wait_timer"}, {"type": "required_reviewers", "reviewers": [{"type": "User"}]}], True),
    ],
)
def test_an_environment_without_required_reviewers_protects_nothing(
    github: GitHubApi, tmp_path: Path, rules: list[dict[str, Any]] | None, protected: bool
) -> None:
    if rules is not None:
        github.environments["a/b"] = rules
    found = GitHub(job(github, tmp_path)).unprotected("a/b")
    assert (found == ()) is protected
    assert all("the environment a/b has no required reviewers" in line for line in found)
    with pytest.raises(HostingError, match="403 Resource not accessible by integration; see that the token"):
        GitHub(job(github, tmp_path, {"contents": "read"})).unprotected("a/b")


@pytest.mark.parametrize(
    ("run", "pull", "says"),
    [
        ({}, {"merged_at": None}, "nothing was reviewed: no pull request was merged to main"),
        ({}, {"base": {"ref": "other"}}, "nothing was reviewed: no pull request was merged to main"),
        ({}, {"head": {"sha": "b" * 40, "repo": {"full_name": "mallory/iam"}}}, "is from a fork"),
        ({}, {"head": {"sha": "b" * 40, "repo": None}}, "is from a fork"),
        ({"path": ".github/workflows/other.yml"}, {}, "is not there: no run of .github/workflows/xgrant-pull-request"),
        ({"conclusion": "failure"}, {}, "is not there: no run of"),
        ({"pull_requests": [], "head_branch": "evil"}, {}, "is not there: no run of"),
        ({"event": "workflow_dispatch"}, {}, "is not there: no run of"),
        ({"head_sha": "c" * 40}, {}, "is not there: no run of"),
        ({"pull_requests": [{"number": 7}]}, {}, "is not there: no run of"),
    ],
)
def test_what_was_not_reviewed_is_no_review(
    github: GitHubApi, tmp_path: Path, run: Mapping[str, Any], pull: Mapping[str, Any], says: str
) -> None:
    planned(github, run=run, pull=pull)
    github.filters = "head_sha" not in run
    with pytest.raises(ReviewError, match=says):
        GitHub(job(github, tmp_path)).review(1000)


def test_an_artifact_that_has_expired_is_no_review(github: GitHubApi, tmp_path: Path) -> None:
    github.artifacts[planned(github)]["expired"] = True
    with pytest.raises(ReviewError, match="that has not expired"):
        GitHub(job(github, tmp_path)).review(1000)


def test_a_plan_that_is_larger_than_any_is_not_read_to_its_end(github: GitHubApi, tmp_path: Path) -> None:
    planned(github)
    with pytest.raises(HostingError, match="the file has more than 10 bytes"):
        GitHub(job(github, tmp_path)).review(10)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"state": "opened"}, "nothing was reviewed: no merge request was merged to main"),
        ({"target_branch": "other"}, "nothing was reviewed"),
        ({"source_project_id": 7}, "is from a fork, so it was never planned here"),
        ({"head_pipeline": None}, "is not there: the pipeline of its head commit"),
        ({"head_pipeline": {"id": 1, "source": "push"}}, "is not there"),
        ({"head_pipeline": {"id": 2, "source": "merge_request_event"}}, "is not there"),
        ({"head_pipeline": {"id": 3, "source": "merge_request_event"}}, "what it left has expired"),
        ({"merged_at": "2026-01-31T12:30:00.000Z"}, "that succeeded before the merge"),
        ({"merge_commit_sha": "c" * 40}, "nothing was reviewed"),
    ],
)
def test_what_was_not_reviewed_on_gitlab_is_no_review(gitlab: GitLabApi, change: Mapping[str, Any], says: str) -> None:
    iid = gitlab.request("branch", "b" * 40)
    pipeline = {"id": 1, "source": "merge_request_event"}
    gitlab.requests[iid] |= {
        "state": "merged", "merged_at": "2026-01-31T13:00:00.000Z", "merge_commit_sha": HEAD, "head_pipeline": pipeline,
    }  # fmt: skip
    for number, status, files in ((1, "success", {"plan.json": b"{}"}), (2, "failed", {}), (3, "success", {})):
        gitlab.jobs[number] = {
            "id": number, "name": "xgrant-plan", "status": status, "pipeline": number, "artifacts": files,
            "finished_at": "2026-01-31T12:30:00.000Z",
        }  # fmt: skip
    host = GitLab(on_gitlab(gitlab))
    assert (host.review(1000).name, host.review(1000).plans) == (f"{iid}-{'b' * 40}", (b"{}",))
    gitlab.requests[iid] |= change
    with pytest.raises(ReviewError, match=says):
        host.review(1000)


def test_all_plans_of_the_merge_requests_pipeline_are_looked_at(gitlab: GitLabApi) -> None:
    iid = gitlab.request("branch", "b" * 40)
    for plan, name, status in (
        (b"1", "xgrant-plan", "success"), (b"2", "xgrant-plan", "success"), (b"3", "xgrant-plan", "failed"),
        (b"4", "other", "success"),
    ):  # fmt: skip
        number = gitlab.number()
        gitlab.jobs[number] = {
            "id": number, "name": name, "status": status, "pipeline": 1, "artifacts": {"plan.json": plan},
            "finished_at": gitlab.now(),
        }  # fmt: skip
    gitlab.requests[iid] |= {
        "state": "merged", "merged_at": gitlab.now(), "merge_commit_sha": HEAD,
        "head_pipeline": {"id": 1, "source": "merge_request_event"},
    }  # fmt: skip
    assert GitLab(on_gitlab(gitlab)).review(1000).plans == (b"1", b"2")


def test_a_name_that_a_host_makes_up_is_no_name_of_a_review(gitlab: GitLabApi, tmp_path: Path) -> None:
    iid = gitlab.request("branch", "../x")
    gitlab.jobs[1] = {
        "id": 1, "name": "xgrant-plan", "status": "success", "pipeline": 1, "artifacts": {"plan.json": b"{}"},
        "finished_at": gitlab.now(),
    }  # fmt: skip
    gitlab.requests[iid] |= {
        "state": "merged", "merged_at": gitlab.now(), "merge_commit_sha": HEAD,
        "head_pipeline": {"id": 1, "source": "merge_request_event"},
    }  # fmt: skip
    with pytest.raises(UsageError, match="is no name of a review"):
        fetch_review(GitLab(on_gitlab(gitlab)), str(tmp_path / "plan.json"))


@pytest.mark.parametrize(("key", "value"), [("stack", "b"), ("fingerprint", "2"), ("only", ["x"]), ("destroy", True)])
def test_two_plans_are_one_review_only_where_they_say_the_same(key: str, value: Any) -> None:
    data = {"stack": "a", "fingerprint": "1", "only": [], "destroy": False, "created_at": "now"}

    def file(**more: Any) -> PlanFile:
        return cast("PlanFile", SimpleNamespace(data={**data, **more}))

    assert same_review(file(), file(created_at="later"))
    assert not same_review(file(), file(**{key: value}))


@pytest.mark.parametrize(
    ("name", "status", "left", "ref", "overtakes"),
    [
        ("xgrant-apply", "canceling", {}, "main", True),
        ("xgrant-apply", "canceled", {}, "main", True),
        ("xgrant-apply", "failed for job_execution_timeout", {}, "main", True),  # It leaves nothing.
        ("xgrant-apply", "failed for script_failure", {}, "main", False),
        ("xgrant-apply", "success", {}, "main", True),
        ("xgrant-apply", "running", {}, "main", True),
        ("xgrant-apply", "failed", {}, "main", False),  # It was stale.
        ("xgrant-apply", "failed", {"record": b"1"}, "main", True),
        ("xgrant-apply", "manual", {}, "main", False),
        ("xgrant-reviewed", "success", {"plan.json": b"{}"}, "main", False),
        ("xgrant-apply", "success", {}, "other", False),
    ],
)
def test_a_pipeline_is_overtaken_by_a_newer_one_that_writes(
    gitlab: GitLabApi, name: str, status: str, left: Mapping[str, bytes], ref: str, overtakes: bool
) -> None:
    applied: dict[str, Any] = {"name": "xgrant-apply", "status": "success", "artifacts": {}, "finished_at": None}
    for number, branch in ((1, "main"), (2, "main"), (3, ref)):
        gitlab.pipelines[number] = {"id": number, "ref": branch, "web_url": f"https://gitlab.com/{number}"}
        gitlab.jobs[number] = {**applied, "id": number, "pipeline": number}
    status, _, reason = status.partition(" for ")
    gitlab.jobs[3] |= {"name": name, "status": status, "artifacts": left, "started_at": "2026-01-01T00:00:00Z"}
    gitlab.jobs[3] |= {"failure_reason": reason} if reason else {}
    host = GitLab(on_gitlab(gitlab, CI_PIPELINE_ID="2"))
    assert host.overtaken() == ("pipeline 3 (https://gitlab.com/3)" if overtakes else "")
    # A job that was run again has begun to write before.
    gitlab.jobs[4] = {**applied, "id": 4, "pipeline": 3, "status": "created"}
    assert bool(host.overtaken()) is overtakes


@pytest.mark.parametrize(
    ("number", "job", "says"),
    [
        (2, "xgrant-apply", "GitLab does not list pipeline 2 among those of main"),
        (1, "apply", "this pipeline has no job xgrant-apply, by which it is known"),
    ],
)
def test_where_a_pipeline_is_not_known_by_its_job_or_in_the_list_nobody_can_tell_whether_it_is_overtaken(
    gitlab: GitLabApi, number: int, job: str, says: str
) -> None:
    gitlab.pipelines[1] = {"id": 1, "ref": "main", "web_url": "https://gitlab.com/1"}
    gitlab.jobs[1] = {
        "id": 1, "pipeline": number, "name": job, "status": "running", "artifacts": {}, "finished_at": None,
    }  # fmt: skip
    with pytest.raises(ReviewError, match=says):
        GitLab(on_gitlab(gitlab, CI_PIPELINE_ID=str(number))).overtaken()


def test_what_gitlab_does_not_protect_or_does_not_show_is_said(gitlab: GitLabApi) -> None:
    host = GitLab(on_gitlab(gitlab))
    assert host.unprotected("production") == ()
    gitlab.settings = {"ci_pipeline_variables_minimum_override_role": "developer"}
    variables, forks, environment = host.unprotected("elsewhere")
    assert variables.startswith("the minimum role to use pipeline variables is developer: ")
    assert forks.startswith("members may run the pipelines of forks in this project")
    assert environment.startswith("the environment elsewhere is not protected")
    gitlab.before = [Answer(200, gitlab.settings), Answer(401, {"message": "401 Unauthorized"})]
    with pytest.raises(HostingError, match="401 Unauthorized; see that the token"):
        host.unprotected("production")


def test_a_review_is_written_by_its_name_and_told_to_later_steps(
    github: GitHubApi, tmp_path: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(github)
    for name, value in job(github, tmp_path, GITHUB_OUTPUT=str(tmp_path / "outputs")).items():
        monkeypatch.setenv(name, value)
    result = xgrant("pipeline", "reviewed", "-o", "plan.json")
    assert result.code == 3
    assert f"the plan of pull request 1001, commit {'b' * 40}: this is no plan file" in result.err
    assert not (tmp_path / "plan.json").exists()
    assert xgrant("pipeline", "reviewed", "-o", "plan.txt").code == 64
    assert xgrant("pipeline", "comment", "none.md").err.startswith("xgrant: none.md: the file cannot be read: No such")
    (tmp_path / "long.md").write_text("x" * 1_000_001)
    assert "too long for a comment" in xgrant("pipeline", "comment", "long.md").err
    assert xgrant("pipeline").code == 64
    assert "name the file that --format github or gitlab made" in xgrant("pipeline", "comment").err
    assert "there is no file then" in xgrant("pipeline", "comment", "x.md", "--no-plan").err
