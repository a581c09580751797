"""What was reviewed once is not applied twice, nor another plan in its place, nor what nobody has to approve."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.sandbox.strict.faults import Fault, Kind
from tests.pipelines.actions import Run
from tests.pipelines.world import World, grant

APPLIED = {"check": "success", "apply": "success"}
REFUSED = {"check": "failure", "apply": "skipped"}
HALF = {"check": "success", "apply": "failure"}


def half_failed(world: World, number: int) -> Run:
    """Merge a planned pull request whose second role AWS refuses for as long as xgrant waits for it."""
    world.sandbox.strict.faults.add(Fault(Kind.DELETE_CONFLICT, 99, operation="CreateRole", spare=1))
    run = world.merged(world.merge(number))
    world.sandbox.strict.faults.calm()
    assert run.results() == HALF
    return run


def planned(world: World, name: str, files: Mapping[str, str | None]) -> int:
    number = world.pull(name, files)
    assert world.plan(number).jobs["plan"].result == "success"
    return number


def test_a_merge_that_was_taken_back_is_not_applied_again(world: World) -> None:
    first = world.merged_grant("reports", grant("reports"))
    by_hand = world.by_hand()
    assert (first.results(), by_hand.results()) == (APPLIED, {**APPLIED, "apply": "skipped"})
    revert = world.merged_grant("revert", {"manifests/reports.yaml": None})
    assert (revert.results(), world.roles()) == (APPLIED, {})
    for run in (first, by_hand):
        world.runner.all_again(run)
        assert run.results() == REFUSED
        assert "this run is overtaken: run 3 (https://github.com/acme/iam/actions/runs/" in run.jobs["check"].log
    assert "Run this workflow by hand" in first.jobs["check"].summary
    assert world.roles() == {}


def test_an_apply_that_failed_half_way_is_not_resumed_after_its_merge_was_taken_back(world: World) -> None:
    run = half_failed(world, planned(world, "both", grant("one") | grant("two")))
    revert = planned(world, "revert", {"manifests/one.yaml": None, "manifests/two.yaml": None})
    assert world.merged(world.merge(revert)).results() == APPLIED
    world.runner.again(run)
    assert run.results() == HALF
    assert "this run is overtaken" in run.jobs["apply"].log
    assert world.roles() == {}


def test_an_apply_that_failed_half_way_is_resumed_while_the_next_merge_waits_or_is_stale(world: World) -> None:
    first, second = (planned(world, name, files) for name, files in (
        ("both", grant("one") | grant("two")), ("three", grant("three")),
    ))  # fmt: skip
    run = half_failed(world, first)
    commit = world.merge(second)
    stale = world.merged(commit)
    assert stale.results() == REFUSED
    world.waits(world.repository.commit("main", {"README.md": "Grants of acme"}))
    world.runner.again(run)
    assert run.results() == APPLIED
    assert world.roles().keys() == {"one", "two"}
    # What was stale fits now, and no newer run was let through since.
    world.runner.again(stale)
    assert stale.results() == APPLIED
    assert world.roles().keys() == {"one", "two", "three"}


def test_by_hand_nothing_is_applied_that_nobody_has_to_approve(world: World) -> None:
    world.repository.commit("main", grant("backdoor"))
    del world.api.environments["production"]
    run = world.by_hand()
    assert run.results() == REFUSED
    assert "the environment production has no required reviewers" in run.jobs["check"].log
    assert world.roles() == {}
    # A review of the pull request is one; it is said all the same.
    world.api.environments["production"] = []
    world.repository.commit("main", {"manifests/backdoor.yaml": None})
    merged = world.merged_grant("reports", grant("reports"))
    assert merged.results() == APPLIED
    assert "::warning title=Not protected::the environment production has" in merged.jobs["check"].log


def test_without_a_store_several_plans_of_one_commit_are_no_review_and_nor_is_one_of_after_the_merge(
    world: World,
) -> None:
    world.without_a_store()
    number = planned(world, "one", grant("one"))
    world.repository.commit("main", grant("backdoor"))
    # Planned anew it is another plan, and the approval stands, since there is no new commit.
    reopened = world.plan(number)
    assert reopened.jobs["plan"].result == "success"
    run = world.merged(world.merge(number))
    assert run.results() == REFUSED
    assert "was planned 2 times before it was merged, and not always alike" in run.jobs["check"].log
    # Only one is known of, and the environment is asked.
    first = min(number for number, one in world.api.artifacts.items() if one["name"].startswith("xgrant-plan-"))
    world.api.artifacts[first]["expired"] = True
    world.runner.all_again(run)
    assert run.results() == APPLIED
    assert world.roles().keys() == {"one", "backdoor"}

    number = world.pull("wider", grant("one", "wider"))
    made = world.plan(number)
    with world.nobody_is_held() as iam:
        iam.update_role(RoleName="one", Description="by hand")
    stale = world.merged(world.merge(number))
    assert stale.results() == REFUSED
    # Another plan, of after the merge, takes nobody's place.
    world.runner.all_again(made)
    world.runner.all_again(stale)
    assert (made.jobs["plan"].result, stale.results()) == ("success", REFUSED)
    assert "the plan is stale; nothing was changed" in stale.jobs["check"].log
    assert world.roles()["one"] == "by hand"


def test_without_a_store_a_pull_request_of_the_same_commit_to_another_branch_leaves_no_review(world: World) -> None:
    world.without_a_store()
    victim = planned(world, "reports", grant("reports"))
    head = world.api.pulls[victim]["head"]
    world.repository.commit("main", grant("backdoor"))
    name = ".github/workflows/xgrant-pull-request.yml"
    text = world.repository.read("main", name).replace("github.event.pull_request.number", f"'{victim}'")
    # Its workflow is its own: it plans what goes to it, too.
    text = text.replace("github.event.repository.default_branch", "'evil'")
    world.repository.commit("evil", {name: text})
    for branch in ("copy", head["ref"]):
        number = world.api.pull(branch, head["sha"], base="evil")
        world.runner.run(
            "xgrant-pull-request", "pull_request",
            {"number": number, "action": "opened", "pull_request": world.api.pulls[number]},
            ref=f"refs/pull/{number}/merge", commit=world.repository.preview(number, head["ref"], base="evil"),
        )  # fmt: skip
        del world.api.pulls[number]
    left = [one["name"] for one in world.api.artifacts.values()]
    assert left == [f"xgrant-plan-{victim}-{head['sha']}-1"] * 3
    # That of the other branch is not looked at; that of its own branch is no other plan in the place of the first.
    run = world.merged(world.merge(victim))
    assert run.results() == REFUSED
    assert "was planned 2 times before it was merged, and not always alike" in run.jobs["check"].log
    assert world.roles() == {}
