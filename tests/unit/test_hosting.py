"""What jobs ask of GitHub and GitLab: paging, waiting, refusals, and where a token never goes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import HostingError, ReviewError, UsageError
from reconciler.hosting import host_of
from reconciler.hosting.archive import only_file
from reconciler.hosting.github import GitHub
from reconciler.hosting.gitlab import GitLab
from reconciler.hosting.http import Client
from reconciler.pipeline.jobs import keep_comment, keep_issue, marker_of
from tests.conftest import Clock, Run
from tests.pipelines.github_api import REPOSITORY, GitHubApi, zipped
from tests.pipelines.gitlab_api import PROJECT, TOKEN, GitLabApi
from tests.pipelines.web import Answer, Api

ALL = {"contents": "read", "actions": "read", "issues": "write", "pull-requests": "write"}
PLAN, DRIFT = "<!-- xgrant:plan:platform -->\nplan\n", "<!-- xgrant:drift:platform -->\ndrift\n"
HEAD = "a" * 40


@pytest.fixture
def github() -> Iterator[GitHubApi]:
    with GitHubApi() as api:
        api.page_size = 2
        yield api


@pytest.fixture
def gitlab() -> Iterator[GitLabApi]:
    with GitLabApi() as api:
        api.page_size = 2
        yield api


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as found:
        yield found


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


def test_a_comment_is_found_on_whichever_page_and_not_written_again_where_it_says_the_same(
    github: GitHubApi, tmp_path: Path
) -> None:
    number = github.pull("branch", HEAD)
    for text in ("one", "two", PLAN):
        github.says(number, "mallory", text)
    github.says(number, "github-actions", PLAN)
    host = GitHub(job(github, tmp_path))
    assert keep_comment(host, PLAN, "f") == "written"
    assert keep_comment(host, PLAN, "f") == "unchanged"
    assert keep_comment(host, PLAN.replace("plan\n", "other plan\n"), "f") == "updated"
    assert [one["user"]["login"] for one in github.comments.values()] == [
        "mallory", "mallory", "mallory", "github-actions", "github-actions[bot]",
    ]  # fmt: skip
    assert sum("other plan" in one["body"] for one in github.comments.values()) == 1


def test_line_breaks_that_the_host_changes_make_no_other_comment(github: GitHubApi, tmp_path: Path) -> None:
    github.pull("branch", HEAD)
    host = GitHub(job(github, tmp_path))
    keep_comment(host, PLAN, "f")
    (comment,) = github.comments.values()
    comment["body"] = comment["body"].replace("\n", "\r\n").rstrip()
    assert keep_comment(host, PLAN, "f") == "unchanged"


@pytest.mark.parametrize("text", ["", "plan", "<!-- xgrant:plan:a --> @everyone", DRIFT, " \n" + PLAN])
def test_a_file_without_the_marker_of_a_plan_in_its_first_line_is_no_comment(text: str) -> None:
    with pytest.raises(UsageError, match=r"f.md: its first line is no marker; make it with `xgrant show"):
        marker_of(text, "plan", "f.md")


def test_an_issue_whose_label_github_drops_is_told(github: GitHubApi, tmp_path: Path) -> None:
    github.drops_labels = True
    with pytest.raises(HostingError, match="has left the label xgrant-drift out of issue"):
        keep_issue(GitHub(job(github, tmp_path)), DRIFT, "f", drifted=True)


def test_a_pull_request_with_the_label_is_no_issue(github: GitHubApi, tmp_path: Path) -> None:
    host = GitHub(job(github, tmp_path))
    keep_issue(host, DRIFT, "f", drifted=True)
    (issue,) = github.issues.values()
    issue["pull_request"] = {}
    assert [*host.issues()] == []


def test_what_the_token_of_a_job_may_not_do_is_said_without_the_token(github: GitHubApi, tmp_path: Path) -> None:
    number = github.pull("branch", HEAD)
    environment = job(github, tmp_path, {"contents": "read", "pull-requests": "read"})
    with pytest.raises(HostingError) as caught:
        keep_comment(GitHub(environment), PLAN, "f")
    assert str(caught.value) == (
        f"POST 127.0.0.1/repos/acme/iam/issues/{number}/comments: 403 Resource not accessible by integration; see that "
        "the token of this job is given, and may do that (docs/pipelines.md)"
    )


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


def run_of(
    api: GitHubApi, *, check: str = "", event: str = "push", branch: str = "main", path: str = "merge.yml"
) -> int:
    """Begin a run, whose check has ended as it is said."""
    number = api.number()
    api.begin(number, path, event=event, head_sha=HEAD, head_branch=branch)
    if check:
        api.ended(number, "Compare with what was reviewed", check, 1)
    return number


@pytest.mark.parametrize(
    ("newer", "overtakes"),
    [
        ({"check": "success"}, True),
        ({"check": "success", "event": "workflow_dispatch"}, True),
        ({"check": "failure"}, False),  # It was stale.
        ({}, False),  # It waits.
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
    github.ended(other, "Compare with what was reviewed", "failure", 2)
    assert bool(host.overtaken()) is overtakes


def test_where_github_does_not_list_a_run_nobody_can_tell_whether_it_is_overtaken(
    github: GitHubApi, tmp_path: Path
) -> None:
    own = run_of(github)
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


def _bomb() -> bytes:
    return zipped({"plan.json": b"0" * 1_000_000})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no archive that can be read"),
        (b"PK\x03\x04nonsense", "is no archive that can be read"),
        (_bomb()[:300], "is no archive that can be read"),
        (zipped({}), "has 0 files and not one"),
        (zipped({"a": b"", "b": b""}), "has 2 files and not one"),
        (_bomb(), "has a file of more than 1000 bytes"),
    ],
)
def test_an_archive_is_opened_with_care(content: bytes, says: str) -> None:
    with pytest.raises(ReviewError, match=says):
        only_file(content, 1000, "the artifact x")


def test_a_damaged_or_an_encrypted_file_in_an_archive_is_none() -> None:
    whole = bytearray(zipped({"plan.json": bytes(range(256)) * 9}))
    whole[60] ^= 0xFF
    with pytest.raises(ReviewError, match="is no archive that can be read"):
        only_file(bytes(whole), 10_000, "the artifact x")
    buffer = BytesIO(zipped({"plan.json": b"{}"}))
    data = bytearray(buffer.getvalue())
    data[6] |= 1  # It says that it is encrypted.
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ReviewError, match="is no archive that can be read"):
        only_file(bytes(data), 1000, "the artifact x")
    assert zipfile.is_zipfile(buffer)


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([Answer(503), Answer(502)], [2.0, 4.0]),
        ([Answer(429, None, {"Retry-After": "7"})], [7.0]),
        ([Answer(403, None, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000000005"})], [5.0]),
    ],
)
def test_what_passes_is_waited_for(api: Api, clock: Clock, answers: list[Answer], waits: list[float]) -> None:
    api.routes["GET /x"] = lambda _: Answer(200, {"fine": True})
    api.before = answers
    began = clock.now
    assert Client(api.url, {}).get("x") == {"fine": True}
    assert clock.now - began == pytest.approx(sum(waits))


@pytest.mark.parametrize(
    ("method", "answers", "says"),
    [
        ("GET", [Answer(500)] * 4, r"500; run the job again"),
        ("GET", [Answer(429, None, {"Retry-After": "3600"})], "429"),
        ("GET", [Answer(404, {"message": "Not Found"})], "404 Not Found; see that the token"),
        ("GET", [Answer(302, None, {"Location": "/x"})] * 4, "it redirects again and again"),
        ("GET", [Answer(200, b"<html>")], "the answer is no JSON"),
        ("POST", [Answer(502)], "502"),
        ("POST", [Answer(302, None, {"Location": "/x"})], "302"),
    ],
)
def test_what_does_not_pass_is_said_and_what_adds_something_is_not_sent_twice(
    api: Api, clock: Clock, method: str, answers: list[Answer], says: str
) -> None:
    api.before = [*answers]
    client = Client(api.url, {})
    with pytest.raises(HostingError, match=says):
        client.get("x") if method == "GET" else client.send("POST", "x", {})
    assert api.before == []
    assert len(api.calls) == len(answers)


def test_a_host_that_is_not_there_is_said(api: Api, clock: Clock) -> None:
    with Api() as gone:
        pass
    with pytest.raises(HostingError, match=r"GET 127.0.0.1/x: it cannot be reached: .*; run the job again"):
        Client(gone.url, {"Authorization": "secret"}).get("x")


def test_a_redirect_takes_no_token_to_another_host_and_none_to_plain_http(api: Api) -> None:
    api.routes["GET /x"] = lambda _: Answer(302, None, {"Location": f"{api.elsewhere}/y"})
    api.routes["GET /y"] = lambda _: Answer(200, b"file")
    assert Client(api.url, {"Authorization": "secret"}).download("x", 10) == b"file"
    assert [call.headers.get("authorization") for call in api.calls] == ["secret", None]
    api.routes["GET /x"] = lambda _: Answer(302, None, {"Location": "http://example.com/y"})
    with pytest.raises(UsageError, match=r"http://example\.com: xgrant speaks to https only"):
        Client(api.url, {}).download("x", 10)


@pytest.mark.parametrize("url", ["http://github.example.com/api/v3", "file:///etc/passwd", "ftp://a"])
def test_only_https_is_spoken(url: str) -> None:
    with pytest.raises(UsageError, match="https only"):
        Client(url, {})


def test_a_list_without_end_is_not_read_for_ever(api: Api) -> None:
    api.routes["GET /x"] = lambda _: Answer(200, [1], {"Link": f'<{api.url}/x?page=2>; rel="next"'})
    with pytest.raises(HostingError, match="more than 5000 items"):
        [*Client(api.url, {}).pages("x")]
    api.routes["GET /x"] = lambda _: Answer(200, {"items": []})
    with pytest.raises(HostingError, match="the answer is no list"):
        [*Client(api.url, {}).pages("x")]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "is for jobs of GitHub Actions and GitLab CI"),
        ({"GITHUB_ACTIONS": "true"}, "GITHUB_TOKEN is not set: give the step the token of the job"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "x"}, "GITHUB_REPOSITORY is not set"),
        ({"GITLAB_CI": "true", "CI_API_V4_URL": "https://x"}, "GITLAB_TOKEN is not set: make a project access token"),
    ],
)
def test_what_is_missing_in_the_environment_is_said(environment: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        host_of(environment)


def test_a_job_of_no_pull_request_has_nothing_to_comment_on(github: GitHubApi, tmp_path: Path) -> None:
    host = GitHub(job(github, tmp_path))
    with pytest.raises(UsageError, match="this job is for no pull request"):
        keep_comment(host, PLAN, "f")
    (tmp_path / "event.json").write_text("{")
    with pytest.raises(UsageError, match="GITHUB_EVENT_PATH: the event cannot be read"):
        keep_comment(GitHub(job(github, tmp_path) | {"GITHUB_EVENT_PATH": str(tmp_path / "none")}), PLAN, "f")


def test_a_note_of_gitlab_has_no_quick_action_in_it(gitlab: GitLabApi) -> None:
    iid = gitlab.request("branch", HEAD)
    host = GitLab(on_gitlab(gitlab, CI_MERGE_REQUEST_IID=str(iid)))
    keep_comment(host, PLAN + "/merge\n/close\n a/b\n", "f")
    (note,) = gitlab.notes
    assert "\n&#47;merge\n&#47;close\n a/b\n" in note["body"]


def test_an_issue_of_gitlab_is_opened_updated_closed_and_opened_again(gitlab: GitLabApi) -> None:
    host = GitLab(on_gitlab(gitlab))
    other = DRIFT + "more\n"
    done = [keep_issue(host, text, "f", drifted=drifted) for text, drifted in (
        (DRIFT, False), (DRIFT, True), (DRIFT, True), (other, True), (DRIFT, False), (DRIFT, False), (DRIFT, True),
    )]  # fmt: skip
    assert done == ["unchanged", "opened", "unchanged", "updated", "closed", "unchanged", "reopened"]
    ((_, issue),) = gitlab.issues.items()
    assert (issue["state"], issue["description"]) == ("opened", DRIFT)
    assert len(gitlab.notes) == 2


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


@pytest.mark.parametrize(
    ("name", "status", "ref", "overtakes"),
    [
        ("xgrant-apply", "success", "main", True),
        ("xgrant-apply", "running", "main", True),
        ("xgrant-apply", "failed", "main", False),
        ("xgrant-apply", "manual", "main", False),
        ("xgrant-reviewed", "success", "main", False),
        ("xgrant-apply", "success", "other", False),
    ],
)
def test_a_pipeline_is_overtaken_by_a_newer_one_that_applies(
    gitlab: GitLabApi, name: str, status: str, ref: str, overtakes: bool
) -> None:
    for number, branch in ((1, "main"), (2, "main"), (3, ref)):
        gitlab.pipelines[number] = {"id": number, "ref": branch, "web_url": f"https://gitlab.com/{number}"}
        gitlab.jobs[number] = {
            "id": number, "name": name if number == 3 else "xgrant-apply", "status": status if number == 3 else "success",
            "pipeline": number, "finished_at": None,
        }  # fmt: skip
    host = GitLab(on_gitlab(gitlab, CI_PIPELINE_ID="2"))
    assert host.overtaken() == ("pipeline 3 (https://gitlab.com/3)" if overtakes else "")
    # A job that was run again has begun to write before.
    gitlab.jobs[4] = gitlab.jobs[3] | {"id": 4, "status": "created"}
    assert bool(host.overtaken()) is overtakes


def test_what_gitlab_does_not_protect_or_does_not_show_is_said(gitlab: GitLabApi) -> None:
    host = GitLab(on_gitlab(gitlab))
    assert host.unprotected("production") == ()
    gitlab.settings = {"ci_pipeline_variables_minimum_override_role": "developer"}
    variables, forks, environment = host.unprotected("elsewhere")
    assert variables.startswith("the minimum role to use pipeline variables is developer: ")
    assert forks.startswith("members may run the pipelines of forks in this project")
    assert environment.startswith("the environment elsewhere is not protected")


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
