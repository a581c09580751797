"""A plan file binds: apply does what was reviewed, or nothing."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import PLAN_FORMATS
from reconciler.planfile.contents import checksum
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.aws.test_drift import policy
from tests.conftest import EXAMPLE, Run

ROLE = "CrossAccountS3ReadRole"
CALLER_POLICY = "xgrant.platform.shared-bucket-read"


@pytest.fixture
def plan_file(scenario: Scenario, xgrant: Run, tmp_path: Path) -> Path:
    """A plan of the example against the empty accounts."""
    file = tmp_path / "plan.json"
    assert xgrant("plan", EXAMPLE, "-o", file).code == 0
    return file


def forged(file: Path, edit: Callable[[Any], object]) -> Path:
    """Edit the data of a plan file and compute the checksum anew, as somebody would who knows how."""
    data = json.loads(file.read_text())
    edit(data)
    data["checksum"] = checksum(data)
    file.write_text(json.dumps(data))
    return file


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to everything in the data that holds nothing further, empty lists and mappings included."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if not inner:
        yield path
    for key, item in inner:
        yield from leaves(item, (*path, key))


def flipped(value: Any) -> Any:
    """Return another value of the same type where there is one."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            # A digest, a time or an account id stays one.
            return value[:-2] + ("1" if value[-2] != "1" else "2") + value[-1] if len(value) > 11 else value + "x"
        case list():
            return ["x"]
        case dict():
            return {"x": "x"}
    return "x"


def put(data: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = change(data[path[-1]])


def unwritten(sandbox: Sandbox) -> bool:
    return list(writes(sandbox.recorder.take())) == []


def test_a_reviewed_plan_is_applied_and_its_file_shown_as_plan_showed_it(
    sandbox: Sandbox, scenario: Scenario, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    planned = xgrant("plan", EXAMPLE, "-o", file)
    assert xgrant("show", file).out == planned.out
    assert xgrant("show", file, "--color", "always").out == xgrant("plan", EXAMPLE, "--color", "always").out
    assert json.loads(xgrant("show", file, "--format", "json").out) == json.loads(file.read_text())
    for form in PLAN_FORMATS:
        assert xgrant("show", file, "--format", form).out == xgrant("plan", EXAMPLE, "--format", form).out
    sandbox.recorder.take()
    applied = xgrant("apply", file, EXAMPLE)
    assert (applied.code, applied.out.splitlines()[-1]) == (0, "Apply: 2 created, 0 updated, 0 deleted.")
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 0


def test_a_plan_file_is_its_owners_only_and_replaces_an_older_one_whole(plan_file: Path, xgrant: Run) -> None:
    plan_file.write_text('{"format_version": "0.9"}')
    plan_file.chmod(0o644)
    assert xgrant("plan", EXAMPLE, "-o", plan_file).code == 0
    assert stat.S_IMODE(plan_file.stat().st_mode) == 0o600
    assert [file.name for file in plan_file.parent.iterdir()] == ["plan.json"]


PLAN = '{"format_version": "0.9"}'


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("plan.txt", None, "a plan file is named *.json, since apply takes no other"),
        ("", None, "a plan file is named *.json"),
        (".", None, "a plan file is named *.json"),
        ("manifest.json", '{"version": 1, "stack": "platform"}', "exists and is no plan file, so it is not replaced"),
        ("policy.json", '{"Version": "2012-10-17", "Statement": []}', "exists and is no plan file"),
        ("later.json", '{"stack": "platform", "format_version": "1.1"}', "exists and is no plan file"),
        ("empty.json", "", "exists and is no plan file"),
        ("none/plan.json", None, "there is no directory none; make it, or name a file elsewhere"),
        ("folder.json", "folder", "exists and is a link, a directory or a device"),
        ("link.json", "link", "exists and is a link, a directory or a device"),
        ("pipe.json", "pipe", "exists and is a link, a directory or a device"),
    ],
)
def test_a_plan_is_written_over_nothing_but_a_plan_file(
    xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    match content:
        case "folder":
            Path(name).mkdir()
        case "link":
            Path("plan.json").write_text(PLAN)
            Path(name).symlink_to("plan.json")
        case "pipe":
            os.mkfifo(name)
        case str():
            Path(name).write_text(content)
    before = [(file.name, file.lstat()) for file in sorted(tmp_path.iterdir())]
    result = xgrant("plan", EXAMPLE, "-o", name)
    # Nothing can be asked of AWS here, so it was not asked.
    assert (result.code, says in result.err, result.out) == (64, True, "")
    assert [(file.name, file.lstat()) for file in sorted(tmp_path.iterdir())] == before


def test_what_takes_the_name_of_a_plan_file_while_aws_is_read_is_not_replaced(
    scenario: Scenario, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "plan.json"

    def now() -> datetime:
        file.write_text("kept")
        return datetime(2030, 1, 1, tzinfo=UTC)

    monkeypatch.setattr("reconciler.commands.clock.now", now)
    assert xgrant("plan", EXAMPLE, "-o", file).code == 64
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("plan.json", "kept")]


def test_a_refused_or_incomplete_plan_does_not_say_that_apply_takes_it(
    scenario: Scenario, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, file = tmp_path / "m.yaml", tmp_path / "plan.json"
    manifest.write_text(EXAMPLE.read_text().replace("[developers]", "[nobody]"))
    for said in (xgrant("plan", manifest, "-o", file), xgrant("show", file)):
        assert "; apply will refuse it for XG202; mend that, then plan again.\n" in said.err
    manifest.write_text(
        EXAMPLE.read_text().replace("accounts:\n", 'accounts:\n  lost: {id: "111111111111", profile: nowhere}\n')
    )
    for said in (xgrant("plan", manifest, "-o", file), xgrant("show", file)):
        assert "; it leaves out 1 account that could not be read (lost), even when it can be read again.\n" in said.err


def test_show_says_when_the_plan_was_made_and_until_when_it_holds(
    scenario: Scenario, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, file = datetime(2030, 1, 1, tzinfo=UTC), tmp_path / "plan.json"
    monkeypatch.setattr("reconciler.commands.clock.now", lambda: start)
    xgrant("plan", EXAMPLE, "-o", file, "--expires", "1h0m90s")
    made = "The plan was made at 2030-01-01 00:00:00 UTC; "
    for form in ("text", "json"):
        assert xgrant("show", file, "--format", form).err == f"{made}apply takes it until 2030-01-01 01:01:30 UTC.\n"
    monkeypatch.setattr("reconciler.commands.clock.now", lambda: start + timedelta(seconds=3690))
    expired = "it has expired at 2030-01-01 01:01:30 UTC, so apply will refuse it; plan again.\n"
    assert xgrant("show", file).err == made + expired


def test_a_stale_plan_says_the_whole_command_that_makes_it_anew(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    manifest, file = tmp_path / "the manifest.yaml", tmp_path / "my plan.json"
    manifest.write_text(EXAMPLE.read_text())
    xgrant("apply", manifest, "--auto-approve")
    grant = "shared-bucket-read"
    planned = xgrant("plan", "--destroy", "--only", grant, "--expires", "90m", "-o", file, manifest)
    assert planned.code == 0
    another_change(sandbox)
    result = xgrant("apply", file, manifest, "--accept", "XG206")
    assert result.code == 4
    anew = f"xgrant plan --destroy --only {grant} --accept XG206 --expires 1h30m -o '{file}' '{manifest}'"
    assert result.err.endswith(f": {anew}\n")


def test_a_stale_plan_names_the_manifests_of_the_file_where_the_command_line_names_none(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLE.parent.parent)
    file = tmp_path / "plan.json"
    for paths, named in (([], ""), (["manifests/shared-bucket.yaml"], " manifests/shared-bucket.yaml")):
        xgrant("plan", "-o", file, *paths)
        a_new_change(sandbox)
        assert xgrant("apply", file).err.endswith(f": xgrant plan -o {file}{named}\n")
        root_client(sandbox, "iam", SOURCE).delete_user_policy(UserName="alice", PolicyName="xgrant.platform.old")


def test_fingerprints_of_a_stale_change_are_shown_only_where_nothing_else_differs(
    plan_file: Path, sandbox: Sandbox, xgrant: Run
) -> None:
    another_change(sandbox)
    result = xgrant("apply", plan_file, EXAMPLE)
    assert (result.code, "fingerprint" in result.out) == (4, False)
    root_client(sandbox, "iam", SOURCE).delete_group_policy(GroupName="developers", PolicyName=CALLER_POLICY)
    forged(plan_file, lambda data: put(data, ("resource_changes", 0, "change", "after_fingerprint"), flipped))
    assert "    after_fingerprint: " in xgrant("apply", plan_file, EXAMPLE).out


def test_a_plan_applied_twice_says_so_and_writes_nothing(plan_file: Path, sandbox: Sandbox, xgrant: Run) -> None:
    assert xgrant("apply", plan_file, EXAMPLE).code == 0
    sandbox.recorder.take()
    again = xgrant("apply", plan_file, EXAMPLE)
    assert again.code == 0
    assert again.out.splitlines() == [
        "done already: create dev/group/developers/caller-policy/shared-bucket-read",
        f"done already: create storage/role/{ROLE}",
        f"Nothing is left to do: AWS is as {plan_file} wants it.",
    ]
    assert unwritten(sandbox)


def test_a_destroy_plan_applied_twice_says_so_too(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    file = tmp_path / "plan.json"
    assert "Plan: 0 to create, 0 to update, 2 to delete." in xgrant("plan", EXAMPLE, "--destroy", "-o", file).out
    assert "2 deleted" in xgrant("apply", file, EXAMPLE).out
    sandbox.recorder.take()
    again = xgrant("apply", file, EXAMPLE)
    assert (again.code, again.out.count("done already: delete")) == (0, 2)
    assert unwritten(sandbox)


def test_what_is_done_already_is_said_and_the_rest_is_done(plan_file: Path, sandbox: Sandbox, xgrant: Run) -> None:
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    root_client(sandbox, "iam", SOURCE).delete_group_policy(GroupName="developers", PolicyName=CALLER_POLICY)
    result = xgrant("apply", plan_file, EXAMPLE)
    assert result.code == 0
    assert result.out.startswith(f"done already: create storage/role/{ROLE}\n")
    assert result.out.endswith("Apply: 1 created, 0 updated, 0 deleted.\n")


def test_any_one_field_that_is_edited_is_refused_and_nothing_is_called(
    plan_file: Path, sandbox: Sandbox, xgrant: Run
) -> None:
    whole = json.loads(plan_file.read_text())
    paths = list(leaves(whole))
    assert len(paths) > 70
    sandbox.recorder.take()
    for path in paths:
        data = json.loads(json.dumps(whole))
        put(data, path, flipped)
        plan_file.write_text(json.dumps(data))
        assert xgrant("apply", plan_file, EXAMPLE).code == 3, path
        assert xgrant("show", plan_file).code == 3, path
    assert sandbox.recorder.take() == []


# What a forger may change without any effect on what is done: a wider restriction to the very same changes, what the
# plan was made from, how long it holds, and counts that decide nothing.
_HARMLESS = {
    ("source", "paths"),
    ("source", "digest"),
    ("created_at",),
    ("expires_at",),
    ("summary", "wanted"),
    ("summary", "owned"),
}


def test_a_forged_field_with_a_fitting_checksum_is_refused_or_harmless(
    plan_file: Path, sandbox: Sandbox, xgrant: Run
) -> None:
    whole = plan_file.read_text()
    sandbox.recorder.take()
    for path in leaves(json.loads(whole)):
        if path == ("checksum",) or path[:2] in _HARMLESS or path[:1] in _HARMLESS:
            continue
        plan_file.write_text(whole)
        forged(plan_file, lambda data, path=path: put(data, path, flipped))  # type: ignore[misc]
        assert xgrant("apply", plan_file, EXAMPLE).code in (3, 4), path
    assert unwritten(sandbox)


def test_a_forged_origin_has_no_effect(plan_file: Path, xgrant: Run) -> None:
    def edit(data: Any) -> None:
        data["source"] = {"paths": ["/elsewhere"], "digest": "0" * 64}

    assert xgrant("apply", forged(plan_file, edit), EXAMPLE).code == 0


def a_new_change(sandbox: Sandbox) -> None:
    document = policy(Action="sts:AssumeRole")
    root_client(sandbox, "iam", SOURCE).put_user_policy(
        UserName="alice", PolicyName="xgrant.platform.old", PolicyDocument=document
    )


def another_change(sandbox: Sandbox) -> None:
    root_client(sandbox, "iam", SOURCE).put_group_policy(
        GroupName="developers", PolicyName=CALLER_POLICY, PolicyDocument=policy(Action="sts:AssumeRole")
    )


@pytest.mark.parametrize(
    ("meanwhile", "words"),
    [
        (a_new_change, "new: delete dev/user/alice/caller-policy/old; it was not reviewed"),
        (another_change, "    reviewed as create, now update (document)"),
    ],
)
def test_a_change_in_aws_since_the_review_makes_the_plan_stale(
    plan_file: Path, sandbox: Sandbox, xgrant: Run, meanwhile: Callable[[Sandbox], None], words: str
) -> None:
    meanwhile(sandbox)
    sandbox.recorder.take()
    result = xgrant("apply", plan_file, EXAMPLE)
    assert result.code == 4
    assert words in result.out
    assert "the plan is stale; nothing was changed" in result.err
    assert unwritten(sandbox)


def test_drift_of_what_is_to_be_updated_makes_the_plan_stale_with_the_attribute(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    xgrant("apply", EXAMPLE, "--auto-approve")
    iam = root_client(sandbox, "iam", TARGET)
    iam.tag_role(RoleName=ROLE, Tags=[{"Key": "owner", "Value": "one"}])
    xgrant("plan", EXAMPLE, "-o", file)
    iam.tag_role(RoleName=ROLE, Tags=[{"Key": "owner", "Value": "two"}])
    sandbox.recorder.take()
    result = xgrant("apply", file, EXAMPLE)
    assert result.code == 4
    assert '    before.tags.owner: "one" when reviewed, "two" now' in result.out
    iam.untag_role(RoleName=ROLE, TagKeys=["owner"])
    assert xgrant("apply", file, EXAMPLE).out.startswith("done already: update")


def test_a_change_undone_in_the_manifest_is_gone_and_the_manifests_are_named(
    plan_file: Path, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    other = tmp_path / "m.yaml"
    other.write_text(EXAMPLE.read_text().split("\ngrants:")[0] + "\ngrants: {}\n")
    result = xgrant("apply", plan_file, other)
    assert result.code == 4
    assert f"gone: create storage/role/{ROLE}; it was reviewed" in result.out
    assert f"The manifests are not the ones that the plan was made from ({EXAMPLE})." in result.out


def test_a_manifest_that_says_the_same_in_other_words_is_the_same_plan(
    plan_file: Path, xgrant: Run, tmp_path: Path
) -> None:
    other = tmp_path / "m.yaml"
    other.write_text("# a comment\n" + EXAMPLE.read_text())
    assert xgrant("apply", plan_file, other).code == 0


def test_a_plan_file_is_refused_from_the_second_on_at_which_it_expires(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    monkeypatch.setattr("reconciler.commands.clock.now", lambda: start)
    file = tmp_path / "plan.json"
    result = xgrant("plan", EXAMPLE, "-o", file, "--expires", "30m")
    assert "apply takes it until 2030-01-01 00:30:00 UTC" in result.err
    monkeypatch.setattr("reconciler.commands.clock.now", lambda: start + timedelta(minutes=30))
    sandbox.recorder.take()
    result = xgrant("apply", file, EXAMPLE)
    assert (result.code, "the plan has expired at 2030-01-01T00:30:00Z; plan again" in result.err) == (3, True)
    assert sandbox.recorder.take() == []
    assert xgrant("show", file).code == 0
    monkeypatch.setattr("reconciler.commands.clock.now", lambda: start + timedelta(minutes=29, seconds=59))
    assert xgrant("apply", file, EXAMPLE).code == 0


def test_a_plan_of_another_stack_or_other_accounts_is_refused(
    plan_file: Path, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    other = tmp_path / "m.yaml"
    for old, new, words in (
        ("stack: platform", "stack: other", "this is a plan of the stack platform, and the manifests are of other"),
        (SOURCE, "111111111111", "the manifests have other accounts than the plan"),
    ):
        assert old in EXAMPLE.read_text()
        other.write_text(EXAMPLE.read_text().replace(old, new))
        sandbox.recorder.take()
        result = xgrant("apply", plan_file, other)
        assert (result.code, words in result.err) == (3, True)
        assert sandbox.recorder.take() == []


def test_another_major_of_the_format_says_what_to_do(plan_file: Path, xgrant: Run) -> None:
    result = xgrant("apply", forged(plan_file, lambda data: data.update(format_version="2.0")), EXAMPLE)
    assert (result.code, "use the xgrant that wrote it" in result.err) == (3, True)


def test_a_plan_printed_as_json_is_no_plan_file(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(xgrant("plan", EXAMPLE, "--format", "json").out)
    result = xgrant("apply", file, EXAMPLE)
    assert (result.code, "not a plan file" in result.err) == (3, True)


def test_a_manifest_named_like_a_plan_file_is_never_taken_for_one(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"version": 1, "stack": "platform", "accounts": {"dev": {"id": SOURCE}}, "grants": {}}))
    result = xgrant("apply", file, "--auto-approve")
    assert (result.code, "this is no plan file" in result.err) == (3, True)
    assert sandbox.recorder.take() == []


def test_the_restriction_of_a_plan_is_in_its_file(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    manifest, file = tmp_path / "m.yaml", tmp_path / "plan.json"
    more = """
  second:
    from: {account: dev, groups: [developers]}
    to: {account: storage}
    permissions: [{actions: "s3:GetObject", resources: "*"}]
"""
    manifest.write_text(EXAMPLE.read_text().rstrip("\n") + more)
    xgrant("plan", manifest, "--only", "second", "-o", file)
    assert xgrant("apply", file, manifest, "--only", "second").code == 64
    assert "2 created" in xgrant("apply", file, manifest).out
    assert "Plan: 2 to create" in xgrant("plan", manifest).out


def test_no_external_id_and_no_credential_is_in_a_plan_file_and_a_changed_one_shows(
    scenario: Scenario, xgrant: Run, tmp_path: Path
) -> None:
    manifest, file = tmp_path / "m.yaml", tmp_path / "plan.json"
    stated = EXAMPLE.read_text().replace(
        "    permissions:", "    require: {external_id: canary-one}\n    permissions:", 1
    )
    manifest.write_text(stated)
    xgrant("apply", manifest, "--auto-approve")
    manifest.write_text(stated.replace("canary-one", "canary-two"))
    planned = xgrant("plan", manifest, "-o", file)
    text = file.read_text()
    (change,) = json.loads(text)["resource_changes"]
    before, after = (
        change["change"][side]["trust_policy"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
        for side in ("before", "after")
    )
    assert (before, after) == (["(hidden)"], ["(hidden 2)"])
    for secret in [
        "canary",
        *(k.secret_key for k in scenario.users.values()),
        *(k.access_key for k in scenario.users.values()),
    ]:
        assert secret not in text + planned.out
    assert xgrant("show", file).out == planned.out
    manifest.write_text(stated.replace("canary-one", "canary-three"))
    assert xgrant("apply", file, manifest).code == 4
    manifest.write_text(stated.replace("canary-one", "canary-two"))
    assert xgrant("apply", file, manifest).code == 0


def test_limits_stop_apply_until_accepted_and_a_file_carries_no_acceptance(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    manifest, file = tmp_path / "m.yaml", tmp_path / "plan.json"
    head = EXAMPLE.read_text().split("grants:")[0] + "limits: {delete_percent: 100}\ngrants:\n"
    grant = (
        "  g%02d:\n    from: {account: dev, groups: [developers]}\n    to: {account: storage}\n"
        '    permissions: [{actions: "s3:GetObject", resources: "*"}]\n'
    )
    manifest.write_text(head + "".join(grant % n for n in range(6)))
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    sandbox.recorder.take()
    for command in (["destroy", manifest, "--auto-approve"], ["plan", manifest, "--destroy"]):
        result = xgrant(*command)
        assert (result.code, "error XG206 the plan deletes or replaces 12 resources" in result.out) == (3, True)
    refused = xgrant("plan", manifest, "--destroy", "-o", file)
    planned = xgrant("plan", manifest, "--destroy", "--accept", "XG206", "-o", file)
    assert all("; apply --accept XG206 takes it until " in said.err for said in (refused, planned))
    assert (planned.code, "warning XG206, accepted" in planned.out) == (0, True)
    assert xgrant("show", file).out == planned.out
    assert xgrant("apply", file, manifest).code == 3
    assert unwritten(sandbox)
    result = xgrant("apply", file, manifest, "--accept", "XG206")
    assert (result.code, "12 deleted" in result.out) == (0, True)


@pytest.mark.parametrize("only", [(), ("--only", "shared-bucket-read")], ids=["all", "only it"])
@pytest.mark.parametrize("stack", [None, "other"], ids=["of no stack", "of another stack"])
def test_a_role_that_is_no_longer_the_stacks_is_not_deleted_already(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, stack: str | None, only: tuple[str, ...]
) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    file = tmp_path / "plan.json"
    assert xgrant("plan", EXAMPLE, "--destroy", "-o", file, *only).code == 0
    iam = root_client(sandbox, "iam", TARGET)
    root_client(sandbox, "iam", SOURCE).delete_group_policy(GroupName="developers", PolicyName=CALLER_POLICY)
    if stack is None:
        iam.untag_role(RoleName=ROLE, TagKeys=["xgrant:stack"])
    else:
        iam.tag_role(RoleName=ROLE, Tags=[{"Key": "xgrant:stack", "Value": stack}])
    sandbox.recorder.take()
    result = xgrant("apply", file, EXAMPLE)
    assert result.code == 4
    assert f"done already: delete storage/role/{ROLE}" not in result.out
    assert unwritten(sandbox)
