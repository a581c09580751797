"""What jobs ask of GitHub and GitLab: paging, waiting, refusals, and where a token never goes."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from reconciler.errors import HostingError, ReviewError, UsageError
from reconciler.hosting import host_of
from reconciler.hosting.archive import only_file
from reconciler.hosting.github import GitHub
from reconciler.hosting.gitlab import GitLab
from reconciler.hosting.http import Client
from reconciler.pipeline.jobs import keep_comment, keep_issue, marker_of, withdraw_comments
from tests.conftest import Clock
from tests.pipelines.github_api import GitHubApi, zipped
from tests.pipelines.gitlab_api import GitLabApi
from tests.pipelines.jobs import HEAD, job, on_gitlab
from tests.pipelines.web import Answer, Api

PLAN, DRIFT = "<!-- xgrant:plan:platform -->\nplan\n", "<!-- xgrant:drift:platform -->\ndrift\n"


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


def test_a_commit_without_a_plan_says_so_in_the_place_of_older_plans_and_of_no_other_comment(
    github: GitHubApi, tmp_path: Path
) -> None:
    number = github.pull("branch", "c" * 40)
    github.says(number, "mallory", PLAN)
    older = GitHub(job(github, tmp_path))
    keep_comment(older, PLAN, "f")
    older.comment(DRIFT, None)
    github.pulls[number]["head"]["sha"] = "b" * 40
    host = GitHub(job(github, tmp_path))
    keep_comment(host, PLAN.replace("platform", "other"), "f")
    assert [withdraw_comments(host) for _ in range(2)] == [1, 0]
    theirs, platform, drift, other = (one["body"] for one in github.comments.values())
    assert (theirs, drift) == (PLAN, DRIFT)
    assert platform == (
        f"<!-- xgrant:plan:platform -->\n\nCommit {'b' * 40} has no plan, and cannot be merged to an apply.\n"
    )
    assert f"This is the plan of commit {'b' * 40}, as commit {HEAD} merges it." in other
    # Once it has one, that stands in the same place.
    assert keep_comment(host, PLAN, "f") == "updated"


def test_drift_that_was_looked_for_in_part_and_not_found_changes_no_issue(github: GitHubApi, tmp_path: Path) -> None:
    host = GitHub(job(github, tmp_path))
    unknown = DRIFT.replace("drift\n", "<!-- xgrant:unknown -->\ndrift\n")
    assert keep_issue(host, DRIFT, "f", drifted=True) == "opened"
    for drifted in (True, False):
        assert keep_issue(host, unknown, "f", drifted=drifted).startswith("left as it is")
    (issue,) = github.issues.values()
    assert (issue["state"], issue["body"]) == ("open", DRIFT)


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


def test_a_token_goes_to_no_other_port_of_the_host_and_a_list_leads_to_no_plain_http(api: Api) -> None:
    with Api() as other:
        other.routes["GET /y"] = lambda _: Answer(200, b"file")
        api.routes["GET /x"] = lambda _: Answer(302, None, {"Location": f"{other.url}/y"})
        assert Client(api.url, {"Authorization": "secret"}).download("x", 10) == b"file"
        assert [call.headers.get("authorization") for call in other.calls] == [None]
    api.routes["GET /x"] = lambda _: Answer(200, [1], {"Link": '<http://example.com/x?page=2>; rel="next"'})
    with pytest.raises(UsageError, match=r"http://example\.com: xgrant speaks to https only"):
        [*Client(api.url, {}).pages("x")]


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
    # What GitLab itself notes in our name is no comment of ours.
    note["system"] = True
    assert keep_comment(host, PLAN, "f") == "written"
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
