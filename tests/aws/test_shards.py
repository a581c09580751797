"""A plan made in parts, each of some accounts, and joined: the same plan as one run makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.model import Account
from reconciler.planfile.contents import checksum
from reconciler.sandbox.scenario import SOURCE, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted
from reconciler.shards import Shard
from tests.aws.seeding import seed_auditors, seed_targets
from tests.aws.test_unreadable_account import shut
from tests.conftest import Result, Run

ACCOUNTS = {f"w{index}": f"70000000000{index}" for index in range(1, 9)}
PARTS = 4


@pytest.fixture
def accounts(scenario: Scenario, sandbox: Sandbox) -> None:
    """Accounts that are targets of a group in dev, and of each other."""
    seed_targets(ACCOUNTS.values())
    root_client(sandbox, "iam", SOURCE).create_group(GroupName="people")
    seed_auditors(sandbox)


def grant(**more: Any) -> dict[str, Any]:
    return {
        "from": {"account": "dev", "groups": ["auditors"]},
        "to": {"account": sorted(ACCOUNTS), "role": "Audit"},
        "permissions": [{"actions": ["s3:ListBucket"], "resources": ["*"]}],
        **more,
    }


def manifest(folder: Path, grants: dict[str, Any], **more: Any) -> Path:
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, **{name: {"id": account} for name, account in ACCOUNTS.items()}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "grants": grants,
        **more,
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


FIRST = {
    "audit": grant(),
    "packed": grant(
        **{"from": {"account": "dev", "groups": ["people"]}}, to={"account": sorted(ACCOUNTS), "role": "Packed"},
        caller_policy="managed",
    ),
    "gone": grant(to={"account": ["w1", "w5"], "role": "Gone"}),
    "path": grant(to={"account": ["w2", "w3"], "role": "Path"}, require={"external_id": "agreed-once"}),
    "before": grant(to={"account": ["w7", "w8"], "role": "Moved"}),
    "passes": grant(
        **{"from": {"account": "dev", "groups": ["people"]}}, to={"account": ["w1", "w8"], "role": "Passes"},
        caller_policy="managed",
    ),
}  # fmt: skip
SECOND = {
    "audit": grant(description="changed", to={"account": sorted(ACCOUNTS)[2:], "role": "Audit"}),
    "packed": grant(
        **{"from": {"account": "dev", "groups": ["people"]}}, to={"account": sorted(ACCOUNTS)[:-1], "role": "Packed"},
        caller_policy="managed",
    ),
    "path": grant(to={"account": ["w2", "w3"], "role": "Path", "path": "/new/"}, require={"external_id": "agreed-now"}),
    # A grant of another name keeps its role; a role passes from one grant to another.
    "moved": grant(to={"account": ["w7", "w8"], "role": "Moved"}, moved=[{"from": "before"}]),
    "passes": grant(
        **{"from": {"account": "dev", "groups": ["people"]}}, to={"account": ["w1", "w8"], "role": "Other"},
        caller_policy="managed",
    ),
    "takes": grant(to={"account": ["w1", "w8"], "role": "Passes"}),
    # Roles that trust each other.
    "mesh": grant(
        **{"from": {"account": ["w6", "w7"], "roles": ["Mesh"]}}, to={"account": ["w6", "w7"], "role": "Mesh"},
        caller_policy="none",
    ),
}  # fmt: skip


def merged(xgrant: Run, path: Path, *words: str) -> tuple[Result, Path]:
    """Plan in parts, and join them in another order."""
    files = [path.parent / f"shard-{number}.json" for number in range(1, PARTS + 1)]
    for number, file in enumerate(files, 1):
        result = xgrant("plan", path, "--shard", f"{number}/{PARTS}", "-o", file, *words)
        assert result.code in (0, 3, 6), result.err
    out = path.parent / "merged.json"
    return xgrant("merge", *reversed(files), "-o", out), out


def of_file(file: Path) -> dict[str, Any]:
    """Return a plan file without what tells one run from another."""
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    data["findings"].sort(key=lambda finding: json.dumps(finding, sort_keys=True))
    return {key: value for key, value in data.items() if key not in ("created_at", "expires_at", "checksum")}


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("words", [(), ("--destroy",)])
def test_four_shards_merged_are_the_plan_of_one_run(xgrant: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    for grants in (FIRST, SECOND):
        path, whole = manifest(tmp_path, grants, rollout={"canary": ["w2"], "then": "30%"}), tmp_path / "whole.json"
        assert xgrant("plan", path, "-o", whole, *words).code in (0, 3)
        result, out = merged(xgrant, path, *words)
        assert result.out.splitlines()[-1] == xgrant("show", whole).out.splitlines()[-1]
        assert of_file(out) == of_file(whole)
        part = xgrant("plan", path, "--shard", f"1/{PARTS}", "--format", "github", *words).out
        assert xgrant("show", tmp_path / "shard-1.json", "--format", "github").out == part
        assert len(of_file(out)["rollout"]["waves"]) > 1 or words
        if grants is FIRST:
            assert xgrant("apply", path, "--auto-approve").code == 0


@pytest.mark.usefixtures("accounts")
def test_what_was_merged_is_applied(xgrant: Run, tmp_path: Path) -> None:
    for grants in (FIRST, SECOND):
        path = manifest(tmp_path, grants, limits={"delete": 100, "delete_percent": 100})
        result, out = merged(xgrant, path)
        assert result.code == 0, result.err
        assert xgrant("apply", out, path).code == 0
        assert xgrant("plan", path, "--detailed-exitcode").code == 0


@pytest.mark.usefixtures("accounts")
def test_an_account_that_cannot_be_read_is_left_out_of_what_is_merged_as_of_one_run(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    assert xgrant("apply", manifest(tmp_path, FIRST), "--auto-approve").code == 0
    shut(sandbox, ACCOUNTS["w4"])
    path, whole = manifest(tmp_path, SECOND, limits={"delete": 100, "delete_percent": 100}), tmp_path / "whole.json"
    assert xgrant("plan", path, "-o", whole).code == 6
    result, out = merged(xgrant, path)
    assert (result.code, "(w4)" in result.out) == (6, True)
    assert of_file(out) == of_file(whole)


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("unreadable", [False, True])
def test_what_is_said_of_permission_sets_and_tokens_is_merged_as_of_one_run(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, *, unreadable: bool
) -> None:
    names = sorted(ACCOUNTS)
    subjects = ["repo:acme/app:*", "repo:acme/app:environment:prod"]
    jobs = {"oidc": {"provider": "token.actions.githubusercontent.com", "subject": subjects}}
    grants = {
        "people": grant(**{"from": {"account": ["dev", *names[1:4]], "permission_sets": ["Data", "Ops"]}}),
        "more": grant(
            **{"from": {"account": names[4:], "permission_sets": ["Data"]}}, to={"account": "w4", "role": "More"}
        ),
        "jobs": grant(**{"from": jobs}, to={"account": names, "role": "Deploy"}),
    }
    path, whole = manifest(tmp_path, grants), tmp_path / "whole.json"
    if unreadable:
        shut(sandbox, ACCOUNTS["w4"])
    assert xgrant("plan", path, "-o", whole).code == (6 if unreadable else 0)
    _, out = merged(xgrant, path)
    assert {f["rule"] for f in of_file(out)["findings"]} >= {"XG230", "XG231", "XG232", "XG116"}
    assert of_file(out) == of_file(whole)
    if not unreadable:
        assert xgrant("apply", out, path).code == 0


@pytest.mark.usefixtures("accounts")
def test_the_limits_are_held_against_all_shards_together(xgrant: Run, tmp_path: Path) -> None:
    assert xgrant("apply", manifest(tmp_path, FIRST), "--auto-approve").code == 0
    result, _ = merged(xgrant, manifest(tmp_path, SECOND, limits={"delete": 2}))
    assert (result.code, "error XG206" in result.out) == (3, True)


@pytest.mark.usefixtures("accounts")
def test_a_shard_reads_its_accounts_and_those_whose_principals_they_trust(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = manifest(tmp_path, FIRST)
    for number in range(1, PARTS + 1):
        shard = Shard(number, PARTS)
        mine = {account for account in ACCOUNTS.values() if shard.has(Account("x", account))}
        sandbox.recorder.take()
        assert xgrant("plan", path, "--shard", str(shard)).code == 0
        calls = sandbox.recorder.take()
        assert counted(calls)["GetAccountAuthorizationDetails"] == len(mine | {SOURCE})


@pytest.mark.usefixtures("accounts")
def test_the_plan_of_a_shard_is_not_applied(xgrant: Run, tmp_path: Path) -> None:
    path, file = manifest(tmp_path, FIRST), tmp_path / "shard.json"
    planned = xgrant("plan", path, "--shard", "1/2", "-o", file)
    assert "of shard 1/2, so apply will refuse it" in planned.err
    result = xgrant("apply", file, path)
    assert (result.code, "join all with `xgrant merge` first" in result.err) == (3, True)


@pytest.mark.usefixtures("accounts")
def test_only_all_shards_of_one_plan_can_be_merged(xgrant: Run, tmp_path: Path) -> None:
    path = manifest(tmp_path, FIRST)
    one, two, other, whole = (tmp_path / f"{name}.json" for name in ("one", "two", "other", "whole"))
    xgrant("plan", path, "--shard", "1/2", "-o", one)
    xgrant("plan", path, "--shard", "2/2", "-o", two)
    xgrant("plan", path, "--shard", "2/3", "-o", other)
    xgrant("plan", path, "-o", whole)
    changed = tmp_path / "changed.json"
    xgrant("plan", manifest(tmp_path, SECOND), "--shard", "2/2", "-o", changed)
    for files, said in (
        ([one], "the shard 2/2 is missing"),
        ([other], "the shards 1/3, 3/3 are missing"),
        ([one, one], "this is shard 1/2, and so is"),
        ([one, other], "plan all alike"),
        ([one, whole], "this is no plan of a shard"),
        ([one, changed], "it was planned with other manifests than"),
    ):
        out = tmp_path / "out.json"
        result = xgrant("merge", *files, "-o", out)
        assert (result.code, said in result.err) == (3, True), result.err
        assert not out.exists()


@pytest.mark.usefixtures("accounts")
def test_shards_that_know_other_accounts_are_not_joined_and_the_accounts_are_named(xgrant: Run, tmp_path: Path) -> None:
    path, out = manifest(tmp_path, FIRST), tmp_path / "out.json"
    files = [tmp_path / f"{number}.json" for number in (1, 2)]
    for number, file in enumerate(files, 1):
        xgrant("plan", path, "--shard", f"{number}/2", "-o", file)
    # As where the organization was listed anew between the two.
    data = json.loads(files[1].read_text(encoding="utf-8"))
    known = data["shard"]["accounts"]
    known["new"], known["w1"] = known.pop("w8"), "999999999999"
    files[1].write_text(json.dumps({**data, "checksum": checksum(data)}), encoding="utf-8")
    result = xgrant("merge", *files, "-o", out)
    assert (result.code, out.exists()) == (3, False)
    said = f"only in {files[1]}: new; only in {files[0]}: w8; in both, and not the same: w1; plan all shards again"
    assert said in result.err


@pytest.mark.usefixtures("accounts")
def test_a_plan_names_the_accounts_that_the_manifests_have_otherwise_by_now(xgrant: Run, tmp_path: Path) -> None:
    path, file = manifest(tmp_path, FIRST), tmp_path / "plan.json"
    xgrant("plan", path, "-o", file)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["accounts"]["new"] = {"id": "999999999999"}
    path.write_text(json.dumps(data), encoding="utf-8")
    result = xgrant("apply", file, path)
    assert (result.code, "than the plan: only in the manifests: new; plan again" in result.err) == (3, True), result.err


@pytest.mark.usefixtures("accounts")
def test_what_is_joined_is_not_written_over(xgrant: Run, tmp_path: Path) -> None:
    path, file = manifest(tmp_path, FIRST), tmp_path / "one.json"
    xgrant("plan", path, "--shard", "1/1", "-o", file)
    before = file.read_bytes()
    result = xgrant("merge", file, "-o", tmp_path / "." / "one.json")
    assert (result.code, file.read_bytes() == before) == (64, True)
    assert "is one of the plan files that are to be joined; name another" in result.err


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "1/10001", "-1/2"])
def test_what_is_no_shard_is_refused(xgrant: Run, text: str) -> None:
    assert xgrant("plan", "--shard", text).code == 64


@pytest.mark.parametrize("text", ["0/3", "4/3"])
def test_a_shard_that_is_none_of_its_parts_is_told_what_there_are(xgrant: Run, text: str) -> None:
    assert "I/N with 1 <= I <= N <= 10000; this is " + text in xgrant("plan", "--shard", text).err


def test_accounts_are_spread_over_the_shards_and_stay_where_they_are() -> None:
    accounts = [Account("x", f"{number:012}") for number in range(4000)]
    sizes = [sum(Shard(number, 4).has(account) for account in accounts) for number in range(1, 5)]
    assert sum(sizes) == 4000
    assert min(sizes) > 900
    # Written down, since a CI matrix may be of several versions of xgrant.
    assert [Shard(number, 4).has(Account("x", "111122223333")) for number in range(1, 5)].index(True) == 0


def test_a_shard_is_of_all_grants(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    result = xgrant("plan", manifest(tmp_path, FIRST), "--shard", "1/2", "--only", "audit")
    assert (result.code, "--only and --shard do not go together" in result.err) == (64, True)


LOOSE = {"limits": {"delete": 100, "delete_percent": 100}}


@pytest.mark.usefixtures("accounts")
def test_a_shard_that_has_no_account_that_can_be_read_says_so_in_its_file(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path, file = manifest(tmp_path, FIRST), tmp_path / "shard.json"
    shut(sandbox, SOURCE)
    alone = next(Shard(number, 64) for number in range(1, 65) if Shard(number, 64).has(Account("dev", SOURCE)))
    result = xgrant("plan", path, "--shard", str(alone), "-o", file)
    assert (result.code, "XG209 account dev is left out" in result.out) == (6, True)
    assert of_file(file)["resource_changes"] == []


@pytest.mark.usefixtures("accounts")
def test_a_principal_that_goes_in_another_shard_is_said_as_in_one_run(xgrant: Run, tmp_path: Path) -> None:
    gone = grant(to={"account": ["w1"], "role": "Gone"})
    uses = grant(
        **{"from": {"account": "w1", "roles": ["Gone"]}}, to={"account": ["w2"], "role": "Used"}, caller_policy="none"
    )
    assert xgrant("apply", manifest(tmp_path, {"gone": gone, "uses": uses}, **LOOSE), "--auto-approve").code == 0
    path, whole = manifest(tmp_path, {"uses": uses}, **LOOSE), tmp_path / "whole.json"
    assert xgrant("plan", path, "-o", whole).code == 3
    assert "XG202" in whole.read_text(encoding="utf-8")
    result, out = merged(xgrant, path)
    assert result.code == 3
    assert of_file(out) == of_file(whole)


@pytest.mark.usefixtures("accounts")
def test_a_dead_principal_is_explained_alike_whatever_could_be_read(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    iam = root_client(sandbox, "iam", ACCOUNTS["w6"])
    statement = {"Effect": "Allow", "Principal": {"AWS": SOURCE}, "Action": "sts:AssumeRole"}
    bot = {
        "RoleName": "bot",
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    }
    iam.create_role(**bot)
    trusting = grant(
        **{"from": {"account": ["w6"], "roles": ["bot"]}}, to={"account": ["w2", "w3"], "role": "X"},
        caller_policy="none",
    )  # fmt: skip
    path, whole = manifest(tmp_path, {"a": trusting}), tmp_path / "whole.json"
    assert xgrant("apply", path, "--auto-approve").code == 0
    iam.delete_role(RoleName="bot")
    iam.create_role(**bot)
    shut(sandbox, ACCOUNTS["w4"])
    assert xgrant("plan", path, "-o", whole).code == 6
    _, out = merged(xgrant, path)
    assert len(of_file(out)["resource_changes"]) == 2
    assert of_file(out) == of_file(whole)


@pytest.mark.usefixtures("accounts")
def test_an_adoption_that_depends_on_an_account_which_another_shard_could_not_read_is_not_merged(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    arns = [f"arn:aws:iam::{ACCOUNTS[name]}:role/Audit" for name in ("w1", "w4")]
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arns}
    root_client(sandbox, "iam", SOURCE).put_group_policy(
        GroupName="auditors", PolicyName="by-hand",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )  # fmt: skip
    path = manifest(tmp_path, {"audit": grant(adopt=True)})
    assert merged(xgrant, path)[0].code == 0
    shut(sandbox, ACCOUNTS["w4"])
    result, _ = merged(xgrant, path)
    assert (result.code, "which may open w4, and another shard could not read that" in result.err) == (3, True)


@pytest.mark.usefixtures("accounts")
def test_merge_accepts_what_plan_accepts(xgrant: Run, tmp_path: Path) -> None:
    assert xgrant("apply", manifest(tmp_path, FIRST), "--auto-approve").code == 0
    path, whole = manifest(tmp_path, SECOND, limits={"delete": 2, "delete_percent": 100}), tmp_path / "whole.json"
    assert xgrant("plan", path, "--accept", "XG206", "-o", whole).code == 0
    merged(xgrant, path)
    files, out = [tmp_path / f"shard-{number}.json" for number in range(1, PARTS + 1)], tmp_path / "accepted.json"
    assert xgrant("merge", *files, "-o", out, "--accept", "XG206").code == 0
    assert of_file(out) == of_file(whole)
    assert xgrant("apply", out, path, "--accept", "XG206").code == 0


@pytest.mark.usefixtures("accounts")
def test_what_programs_read_of_a_shard_names_it_and_its_accounts_only(xgrant: Run, tmp_path: Path) -> None:
    path = manifest(tmp_path, FIRST)
    mine = sorted(name for name, account in ACCOUNTS.items() if Shard(1, PARTS).has(Account(name, account)))
    words = ("--shard", f"1/{PARTS}", "--format", "json")
    drift, plan = (json.loads(xgrant(command, path, *words).out) for command in ("drift", "plan"))
    assert (drift["shard"], plan["shard"]["number"], plan["shard"]["of"]) == (f"1/{PARTS}", 1, PARTS)
    for data in (drift, plan):
        assert [account["name"] for account in data["accounts"] if account["name"] != "dev"] == mine
    assert "shard" not in json.loads(xgrant("drift", path, "--format", "json").out)


@pytest.mark.usefixtures("accounts")
def test_a_shard_beyond_the_last_is_refused(xgrant: Run, tmp_path: Path) -> None:
    file = tmp_path / "shard.json"
    xgrant("plan", manifest(tmp_path, FIRST), "--shard", "2/2", "-o", file)
    data = json.loads(file.read_text(encoding="utf-8"))
    data["shard"]["number"] = 7
    file.write_text(json.dumps({**data, "checksum": checksum(data)}), encoding="utf-8")
    result = xgrant("show", file)
    assert (result.code, "a shard beyond the last" in result.err) == (3, True)
