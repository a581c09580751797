"""What the workflows hold against a plan that is not the reviewed one, and what they tell of drift."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from reconciler.planfile.contents import checksum
from reconciler.sandbox.scenario import root_client
from tests.aws.bootstrap_support import BUCKET, OPS
from tests.pipelines.github_api import zipped
from tests.pipelines.world import World, grant


def _plan_of(world: World, number: int) -> dict[str, Any]:
    """Return the artifact of the plan of a pull request."""
    head = world.api.pulls[number]["head"]["sha"]
    name = f"xgrant-plan-{number}-{head}-1"
    (found,) = [one for one in world.api.artifacts.values() if one["name"] == name]
    return found


def _content(world: World, number: int) -> dict[str, Any]:
    with ZipFile(BytesIO(_plan_of(world, number)["zip"])) as archive:
        found: dict[str, Any] = json.loads(archive.read("plan.json"))
    return found


def _put(world: World, number: int, files: dict[str, bytes]) -> None:
    _plan_of(world, number)["zip"] = zipped(files)


def _sealed(data: dict[str, Any]) -> bytes:
    return json.dumps({**data, "checksum": checksum(data)}).encode()


def test_a_plan_that_is_not_the_reviewed_one_is_refused_whoever_put_it_there(world: World) -> None:
    number, other = (world.pull(name, grant(name)) for name in ("reports", "other"))
    for each in (number, other):
        assert world.plan(each).jobs["plan"].result == "success"
    reviewed, foreign = _content(world, number), _content(world, other)
    empty = {**reviewed, "resource_changes": []}
    commit = world.merge(number)
    for name, files, says in (
        ("edited", {"plan.json": json.dumps({**reviewed, "destroy": True}).encode()}, "was edited or damaged"),
        ("forged", {"plan.json": _sealed(empty)}, "contradict each other"),
        ("that of another pull request", {"plan.json": _sealed(foreign)}, "this is not the plan that s3://"),
        ("two files", {"plan.json": b"{}", "manifests/x.yaml": b""}, "has 2 files and not one"),
        ("no file", {}, "has 0 files and not one"),
    ):
        _put(world, number, files)
        run = world.merged(commit)
        assert run.results() == {"check": "failure", "apply": "skipped"}, name
        assert says in run.jobs["check"].log, (name, run.jobs["check"].log)
    assert world.roles() == {}
    _put(world, number, {"../../plan.json": _sealed(reviewed)})  # what its file is called does not matter
    assert world.merged(commit).results() == {"check": "success", "apply": "success"}
    assert world.roles().keys() == {"reports"}


def test_a_plan_that_takes_the_place_of_the_checked_one_before_the_apply_is_refused(world: World) -> None:
    number, other = (world.pull(name, grant(name)) for name in ("reports", "other"))
    for each in (number, other):
        world.plan(each)
    foreign = _sealed(_content(world, other))

    def swap() -> None:
        (found,) = [one for one in world.api.artifacts.values() if one["name"] == "xgrant-reviewed"]
        found["zip"] = zipped({"plan.json": foreign})

    world.runner.before["apply"] = swap
    run = world.merged(world.merge(number))
    assert run.results() == {"check": "success", "apply": "failure"}
    assert "this is not the plan that s3://" in run.jobs["apply"].log
    assert "Nothing was changed; the log says why." in run.jobs["apply"].summary
    # Nothing began, so there is no record of it.
    assert {one["name"] for one in world.api.artifacts.values() if one["run"] == run.id} == {"xgrant-reviewed"}
    assert world.roles() == {}


def test_an_account_that_cannot_be_read_is_left_out_and_is_no_drift(world: World) -> None:
    name = "manifests/stack.yaml"
    own = json.loads(world.repository.read("main", name))
    own["accounts"]["gone"] = {"id": "999999999999"}
    number = world.pull("gone", grant("reports") | {name: json.dumps(own)})
    assert world.plan(number).jobs["plan"].result == "success"
    run = world.merged(world.merge(number))
    assert run.results() == {"check": "success", "apply": "failure"}
    assert world.roles().keys() == {"reports"}
    # All that can be read is as it should be: nobody knows of the rest.
    run = world.by_hand("xgrant-drift")
    assert run.results() == {"drift": "failure"}
    assert "left as it is: nobody knows whether there is drift" in run.jobs["drift"].log
    assert world.api.issues == {}
    with world.nobody_is_held() as iam:
        iam.update_role(RoleName="reports", Description="by hand")
    assert world.by_hand("xgrant-drift").results() == {"drift": "failure"}
    assert [one["state"] for one in world.api.issues.values()] == ["open"]


def test_a_review_in_the_store_stays_what_it_is(world: World) -> None:
    number = world.pull("reports", grant("reports"))
    world.plan(number)
    head = world.api.pulls[number]["head"]["sha"]
    s3 = root_client(world.sandbox, "s3", OPS)
    key = f"xgrant/reviews/platform/{number}-{head}.json"
    with world.nobody_is_held():
        first = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert json.loads(first)["fingerprint"] == _content(world, number)["fingerprint"]
    # The same plan of the same commit, made anew, is the same review.
    assert world.plan(number).jobs["plan"].result == "success"
    # Another plan of the same commit is not.
    world.repository.commit("main", {"manifests/more.yaml": grant("more")["manifests/more.yaml"]})
    again = world.plan(number)
    assert again.jobs["plan"].result == "failure"
    assert "push a new commit" in again.jobs["plan"].log
    # What is shown is what was reviewed.
    (comment,) = world.comments(number)
    assert ("storage/role/reports" in comment, "more" in comment) == (True, False)
    assert "more" not in again.jobs["plan"].summary
    with world.nobody_is_held():
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == first


def test_without_a_store_the_artifact_is_the_review_and_findings_go_to_code_scanning(world: World) -> None:
    world.without_a_store()
    world.runner.variables["XGRANT_CODE_SCANNING"] = "true"
    number = world.pull("reports", grant("reports"))
    planned = world.plan(number)
    assert planned.results() == {
        "validate": "success", "plan": "success", "planned": "success", "code-scanning": "success",
    }  # fmt: skip
    assert planned.jobs["code-scanning"].used[-1] == "github/codeql-action/upload-sarif"
    assert world.merged(world.merge(number)).results() == {"check": "success", "apply": "success"}
    with world.nobody_is_held():
        found = root_client(world.sandbox, "s3", OPS).list_objects_v2(Bucket=BUCKET, Prefix="xgrant/reviews/")
    assert found["KeyCount"] == 0


def test_a_plan_that_is_refused_is_commented_and_cannot_be_merged_to_an_apply(world: World) -> None:
    number = world.pull("reports", grant("reports", managed_policies=["arn:aws:iam::aws:policy/Never"]))
    planned = world.plan(number)
    assert planned.results() == {
        "validate": "success", "plan": "failure", "planned": "failure", "code-scanning": "skipped",
    }  # fmt: skip
    assert "XG224" in world.comments(number)[0]
    assert "\n::error file=manifests/reports.yaml,line=" in planned.jobs["plan"].log
    merged = world.merged(world.merge(number))
    assert merged.results() == {"check": "failure", "apply": "skipped"}
    assert "is not there: no run of" in merged.jobs["check"].log


def test_one_issue_tells_of_drift_until_there_is_none(world: World) -> None:
    world.repository.commit("main", grant("reports"))
    world.api.issues[1] = {
        "number": 1, "title": "Drift", "body": "<!-- xgrant:drift:platform -->\nmine", "state": "open",
        "labels": [{"name": "xgrant-drift"}], "user": {"login": "mallory"},
    }  # fmt: skip

    def drift() -> list[tuple[str, str]]:
        run = world.by_hand("xgrant-drift")
        assert run.results() == {"drift": "success"}, run.jobs["drift"].log
        assert "platform" in run.jobs["drift"].summary
        assert world.api.issues[1]["body"].endswith("mine")
        return [(one["state"], one["body"]) for number, one in world.api.issues.items() if number != 1]

    ((state, opened),) = drift()
    assert state == "open"
    assert "storage/role/reports" in opened
    changes = len([call for call in world.api.calls if call.method != "GET"])
    assert drift() == [("open", opened)]
    assert len([call for call in world.api.calls if call.method != "GET"]) == changes
    assert world.by_hand().results() == {"check": "success", "apply": "success"}
    ((state, _),) = drift()
    assert state == "closed"
    with world.nobody_is_held() as iam:
        iam.update_role(RoleName="reports", Description="by hand")
    ((state, reopened),) = drift()
    assert state == "open"
    assert "by hand" in reopened
    said = [one["body"] for one in world.api.comments.values()]
    assert [text.split(",")[0] for text in said] == [
        "AWS is as the manifests say again", "AWS is not as the manifests say any more",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "ref"),
    [
        ("push", "refs/heads/feature"), ("workflow_dispatch", "refs/heads/feature"),
        ("workflow_dispatch", "refs/tags/main"),
    ],
)  # fmt: skip
def test_of_another_branch_than_the_default_one_and_of_a_tag_of_its_name_no_job_runs(
    world: World, event: str, ref: str
) -> None:
    commit = world.repository.git("rev-parse", "main")
    run = world.runner.run("xgrant-merge", event, {}, ref=ref, commit=commit)
    assert run.results() == {"check": "skipped", "apply": "skipped"}


def test_xgrant_is_installed_by_the_requirements_of_the_repository(world: World, tmp_path: Path) -> None:
    number = world.pull("theirs", grant("theirs"), fork=True)
    world.plan(number)
    (installed,) = {path.read_text() for path in tmp_path.glob("job-*/pip")}
    assert installed == "-I -m pip install --disable-pip-version-check --quiet -r .github/xgrant-requirements.txt\n"
