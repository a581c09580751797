"""The workflows that users copy, from a pull request to what is applied, with the roles of the bootstrap only."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from reconciler.sandbox.strict.faults import Fault, Kind
from tests.pipelines.actions import Run
from tests.pipelines.world import World, grant

PLANNED = {"validate": "success", "plan": "success", "planned": "success"}
UNPLANNED = {"plan": "skipped", "planned": "failure", "code-scanning": "skipped"}


def record_of(world: World, run: Run) -> dict[str, Any]:
    """Return what a run has kept of what it has applied."""
    (found,) = [one for one in world.api.artifacts.values() if (one["run"], one["name"]) == (run.id, "xgrant-history")]
    with ZipFile(BytesIO(found["zip"])) as archive:
        record: dict[str, Any] = json.loads(archive.read("history.json"))
    return record


def test_a_pull_request_is_planned_commented_merged_and_applied(world: World) -> None:
    number = world.pull("reports", grant("reports"))
    person = world.api.says(number, "mallory", "<!-- xgrant:plan:platform -->\nNothing to see here")
    planned = world.plan(number)
    assert planned.results() == {**PLANNED, "code-scanning": "skipped"}, planned
    head = world.api.pulls[number]["head"]["sha"]
    (theirs, ours) = world.comments(number)
    assert theirs == "<!-- xgrant:plan:platform -->\nNothing to see here"
    assert ours.startswith("<!-- xgrant:plan:platform -->\n")
    assert "storage/role/reports" in ours
    assert f"This is the plan of commit {head}, as commit {planned.commit} merges it." in ours
    assert "storage/role/reports" in planned.jobs["plan"].summary
    assert world.roles().keys() == set()

    # One more commit: the same comment says another plan.
    world.push(number, grant("reports", "other-reports"))
    assert world.plan(number).jobs["plan"].result == "success"
    (theirs_now, ours_now) = world.comments(number)
    assert theirs_now == theirs
    assert "other-reports" in ours_now
    assert person in world.api.comments

    # One that is not valid has no plan, and says so in the place of the one before.
    world.push(number, grant("reports", managed_policies=["nonsense"]))
    broken = world.plan(number)
    assert broken.results() == {
        "validate": "failure", "plan": "failure", "planned": "failure", "code-scanning": "skipped",
    }  # fmt: skip
    (theirs_now, ours_now) = world.comments(number)
    head = world.api.pulls[number]["head"]["sha"]
    assert (theirs_now, "storage/role/reports" in ours_now) == (theirs, False)
    assert f"Commit {head} has no plan, and cannot be merged to an apply." in ours_now
    world.push(number, grant("reports", "other-reports"))
    assert world.plan(number).jobs["planned"].result == "success"
    assert "other-reports" in world.comments(number)[1]

    merged = world.merged(world.merge(number))
    assert merged.results() == {"check": "success", "apply": "success"}, merged
    assert "repo:acme/iam:environment:production" in merged.jobs["apply"].used
    assert "repo:acme/iam:ref:refs/heads/main" in merged.jobs["check"].used
    assert world.roles().keys() == {"reports"}
    assert {one["name"] for one in world.api.artifacts.values() if one["run"] == merged.id} == {
        "xgrant-reviewed", "xgrant-history",
    }  # fmt: skip
    again = world.merged(world.merge(world.pull("readme", {"README.md": "Grants of acme"})))
    assert again.jobs["check"].result == "failure"  # it was never planned


def test_a_squashed_pull_request_is_applied_and_a_pull_request_that_changes_no_grant_asks_nobody(world: World) -> None:
    number = world.pull("reports", grant("reports"))
    world.plan(number)
    assert world.merged(world.merge(number, squash=True)).results() == {"check": "success", "apply": "success"}
    assert world.roles().keys() == {"reports"}
    number = world.pull("readme", {"README.md": "Grants of acme"})
    world.plan(number)
    assert world.merged(world.merge(number)).results() == {"check": "success", "apply": "skipped"}


def test_what_changed_in_aws_since_the_review_makes_it_stale_until_a_run_by_hand_is_approved(world: World) -> None:
    number = world.pull("reports", grant("reports"))
    world.plan(number)
    world.merged(world.merge(number))
    number = world.pull("wider", grant("reports", "wider"))
    world.plan(number)
    with world.nobody_is_held() as iam:
        iam.update_role(RoleName="reports", Description="by hand")
    stale = world.merged(world.merge(number))
    assert stale.results() == {"check": "failure", "apply": "skipped"}
    assert "the plan is stale; nothing was changed" in stale.jobs["check"].log
    assert "Nothing was changed" in stale.jobs["check"].summary
    assert "Run this workflow by hand" in stale.jobs["check"].summary
    assert world.roles() == {"reports": "by hand"}

    by_hand = world.by_hand()
    assert by_hand.results() == {"check": "success", "apply": "success"}
    assert "wider" in by_hand.jobs["check"].summary
    assert world.roles() == {"reports": "Developers read"}
    assert world.comments(number)[0].count("This is the plan of commit") == 1


def test_of_two_merges_at_once_the_second_is_applied_after_the_first_where_its_changes_are_its_own(
    world: World,
) -> None:
    first, second = (world.pull(name, grant(name)) for name in ("one", "two"))
    for number in (first, second):
        world.plan(number)
    # Both are merged before the first is applied; their runs wait for each other.
    commits = [world.merge(number) for number in (first, second)]
    runs = [world.waits(commit) for commit in [*commits, world.merge(world.pull("readme", {"README.md": "Grants"}))]]
    world.runner.work()
    assert runs.pop().jobs["check"].result == "failure"  # It was never planned, and yet it dropped nobody.
    assert [run.results() for run in runs] == [{"check": "success", "apply": "success"}] * 2
    assert world.roles().keys() == {"one", "two"}


def test_of_two_merges_at_once_the_second_is_stale_where_the_first_changes_what_it_was_reviewed_against(
    world: World,
) -> None:
    number = world.pull("reports", grant("reports"))
    world.plan(number)
    world.merged(world.merge(number))
    first = world.pull("first", grant("reports", description="First"))
    second = world.pull("second", grant("reports", session={"max_duration": "2h"}, description="Developers read"))
    for number in (first, second):
        world.plan(number)
    world.merged(world.merge(first))
    world.repository.git("checkout", "--quiet", "second")
    world.repository.git("merge", "--quiet", "-X", "theirs", "main")
    commit = world.merge(second)
    stale = world.merged(commit)
    assert stale.results() == {"check": "failure", "apply": "skipped"}
    assert "the plan is stale; nothing was changed" in stale.jobs["check"].log


def test_an_apply_that_fails_half_way_is_run_again_and_does_the_rest(world: World) -> None:
    number = world.pull("both", grant("one") | grant("two"))
    world.plan(number)
    # AWS refuses the second role for as long as xgrant waits for it.
    refusal = Fault(Kind.DELETE_CONFLICT, 99, operation="CreateRole", spare=1)
    world.sandbox.strict.faults.add(refusal)
    run = world.merged(world.merge(number))
    world.sandbox.strict.faults.calm()
    assert run.results() == {"check": "success", "apply": "failure"}
    assert "Run the failed jobs again" in run.jobs["apply"].summary
    assert record_of(world, run)["outcome"] == "in part"
    world.runner.again(run)
    assert run.results() == {"check": "success", "apply": "success"}
    assert world.roles().keys() == {"one", "two"}
    assert "done already" in run.jobs["apply"].log


def test_a_direct_push_is_not_applied_and_a_fork_is_only_validated(world: World) -> None:
    direct = world.merged(world.repository.commit("main", grant("backdoor")))
    assert direct.results() == {"check": "failure", "apply": "skipped"}
    assert "nothing was reviewed: no pull request was merged to main as commit" in direct.jobs["check"].log

    number = world.pull("theirs", grant("theirs", managed_policies=["nonsense"]), fork=True)
    planned = world.plan(number)
    assert planned.results() == {**UNPLANNED, "validate": "failure"}
    assert "::error file=manifests/theirs.yaml" in planned.jobs["validate"].log
    world.push(number, grant("theirs"))
    planned = world.plan(number)
    assert planned.results() == {**UNPLANNED, "validate": "success"}
    assert planned.jobs["validate"].used == ["actions/checkout", "actions/setup-python"]
    assert world.comments(number) == []
    merged = world.merged(world.merge(number))
    assert merged.jobs["check"].result == "failure"
    assert "is from a fork, so it was validated and never planned" in merged.jobs["check"].log
    assert world.roles().keys() == set()
