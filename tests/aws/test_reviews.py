"""A review is kept once, and apply demands it; `plan --same-as` says beforehand what apply would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.sandbox.scenario import SOURCE, STORE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.conftest import EXAMPLE, Run

ROLE = "CrossAccountS3ReadRole"
KEY = "x/reviews/platform/abc.json"


@pytest.fixture
def manifests(scenario: Scenario, tmp_path: Path) -> Path:
    """The example, with a store in S3."""
    folder = tmp_path / "grants"
    folder.mkdir()
    (folder / "m.yaml").write_text(f"{EXAMPLE.read_text()}\nstore: s3://{STORE}/x\n")
    return folder


def _kept(sandbox: Sandbox) -> bytes:
    found: bytes = root_client(sandbox, "s3", SOURCE).get_object(Bucket=STORE, Key=KEY)["Body"].read()
    return found


def _unwritten(sandbox: Sandbox) -> bool:
    """Return whether nothing was written but to the store."""
    return [call for call in writes(sandbox.recorder.take()) if call.service == "iam"] == []


def test_a_plan_is_kept_once_and_applied_by_the_name_of_its_review(
    manifests: Path, xgrant: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    plan = ("plan", manifests, "-o", "plan.json", "--review", "abc")
    made = xgrant(*plan)
    assert made.code == 0
    assert f"The plan is kept in s3://{STORE}/x as the review abc." in made.err
    first = _kept(sandbox)
    assert first == (tmp_path / "plan.json").read_bytes()
    assert xgrant(*plan).code == 0  # the very same one, made anew
    assert _kept(sandbox) == first

    other = xgrant("plan", manifests, "-o", "other.json", "--destroy", "--review", "abc")
    assert other.code == 4
    assert "push a new commit, so that the new plan is reviewed under its name" in other.err
    assert not (tmp_path / "other.json").exists()  # so that nobody shows it as what is reviewed
    assert _kept(sandbox) == first
    assert xgrant("plan", manifests, "-o", "other.json", "--destroy").code == 0
    for name, says in (("abd", "has no review abd of the stack platform; nothing was changed"), ("../abc", "no name")):
        refused = xgrant("apply", "plan.json", manifests, "--review", name)
        assert refused.code == (4 if name == "abd" else 64)
        assert says in refused.err
    refused = xgrant("apply", "other.json", manifests, "--review", "abc")
    assert (refused.code, _unwritten(sandbox)) == (4, True)
    assert f"this is not the plan that s3://{STORE}/x has as the review abc; nothing was changed" in refused.err
    assert xgrant("apply", "plan.json", manifests, "--review", "abc").code == 0


def test_a_plan_that_is_refused_is_no_review(manifests: Path, xgrant: Run, sandbox: Sandbox) -> None:
    xgrant("apply", manifests, "--auto-approve")
    file = manifests / "m.yaml"
    file.write_text(file.read_text() + "limits: {delete: 0}\n")
    result = xgrant("plan", manifests, "--destroy", "-o", "plan.json", "--review", "abc")
    assert result.code == 3
    assert xgrant("apply", "plan.json", manifests, "--review", "abc").code == 4


def test_what_stands_in_the_store_and_is_no_plan_file_is_no_review(
    manifests: Path, xgrant: Run, sandbox: Sandbox
) -> None:
    root_client(sandbox, "s3", SOURCE).put_object(Bucket=STORE, Key=KEY, Body=b"{}")
    result = xgrant("plan", manifests, "-o", "plan.json", "--review", "abc")
    assert result.code == 3
    assert f"s3://{STORE}/x/reviews/platform/abc.json: this is no plan file" in result.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["plan", "-o", "p.json", "--review", ""], "is no name of a review"),
        (["plan", "-o", "p.json", "--review", "", "--if-store"], "is no name of a review"),
        (["plan", "-o", "p.json", "--if-store"], "--if-store goes with --review NAME"),
        (["apply", "--if-current"], "what was reviewed is a plan file; name it as the first PATH"),
        (["plan", "-o", "p.json", "--review", ".."], "is no name of a review"),
        (["plan", "-o", "p.json", "--review", "a" * 101], "is no name of a review"),
        (["plan", "-o", "p.json", "--review", "a/b"], "is no name of a review"),
        (["plan", "--review", "abc"], "--review keeps a plan file; name one with -o"),
        (["plan", "-o", "p.json", "--shard", "1/2", "--review", "abc"], "a shard is applied only once it is merged"),
        (["plan", "-o", "p.json", "--same-as", "p.json", "--only", "x"], "leave out --only, -o"),
        (["plan", "--same-as", "p.json", "--format", "json"], "--same-as prints text"),
        (["apply", "--auto-approve", "--review", "abc"], "what was reviewed is a plan file; name it as the first PATH"),
    ],
)
def test_what_does_not_fit_a_review_is_said_before_anything_is_read(
    manifests: Path, xgrant: Run, words: list[str], says: str
) -> None:
    result = xgrant(words[0], manifests, *words[1:])
    assert (result.code, result.out) == (64, "")
    assert says in result.err


def test_a_review_needs_a_store_that_the_manifests_state(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    for words in (["plan", EXAMPLE, "-o", "plan.json"], ["apply", "plan.json", EXAMPLE]):
        result = xgrant(*words, "--review", "abc")
        assert result.code == 64
        assert "the manifests state no `store: s3://BUCKET/PREFIX`, where what was reviewed is kept" in result.err
        # Jobs ask for it where there is one.
        result = xgrant(
            *words, "--review", "abc", "--if-store", *(["--record", "record"] if words[0] == "apply" else [])
        )
        assert (result.code, "so the plan file is all that says what was reviewed" in result.err) == (0, True)
    assert xgrant("history", (tmp_path / "record").read_text().strip(), EXAMPLE).code == 0
    # Nothing is left to do, so there is no record of it.
    (tmp_path / "record").unlink()
    assert xgrant("apply", "plan.json", EXAMPLE, "--record", "record").code == 0
    assert not (tmp_path / "record").exists()


def test_a_plan_is_compared_with_a_reviewed_one_and_nothing_is_written(
    manifests: Path, xgrant: Run, sandbox: Sandbox
) -> None:
    xgrant("plan", manifests, "-o", "plan.json", "--review", "abc")
    compare = ("plan", manifests, "--same-as", "plan.json", "--detailed-exitcode")
    same = xgrant(*compare, "--review", "abc")
    assert same.code == 2
    assert f"+ storage/role/{ROLE}" in same.out
    assert xgrant(*compare, "--review", "abd").code == 4
    assert _unwritten(sandbox)

    xgrant("apply", "plan.json", manifests)
    done = xgrant(*compare)
    assert done.code == 0
    assert done.out.endswith("Nothing is left to do: AWS is as plan.json wants it.\n")

    root_client(sandbox, "iam", TARGET).update_role(RoleName=ROLE, Description="by hand")
    sandbox.recorder.take()
    stale = xgrant(*compare)
    assert (stale.code, _unwritten(sandbox)) == (4, True)
    assert "the plan is stale; nothing was changed. Review a new one: xgrant plan" in stale.err
