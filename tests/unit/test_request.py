"""`xgrant request` writes a manifest that asks for a grant for a time; it grants nothing, and asks AWS nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest import load
from reconciler.model import Grant
from tests.conftest import Run
from tests.support import HEAD, document

NOW = datetime(2026, 11, 25, 21, 30, tzinfo=UTC)
READING = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = {"Version": "2012-10-17", "Statement": [READING]}
GRANTS = (
    HEAD
    + """\
grants:
  reader:
    description: Reads
    from: {account: dev, users: [alice], groups: [developers]}
    to: {account: storage, role: Reader, path: /data/}
    policy: {file: policies/read.json}
    require: {mfa: true}
    tags: {team: data, Requested-By: nobody}
    prevent_destroy: true
    rotate: {every: 90d}
    moved: [{from: old}]
    adopt: true
  everywhere:
    from: {account: dev, users: [alice]}
    to: {account: {tags: {tier: prod}}}
    permissions: [{actions: "s3:*", resources: "arn:aws:s3:::${account.tags.bucket}"}]
  whole:
    from: {account: dev, entire_account: true}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
  jobs:
    from: {oidc: {provider: token.actions.githubusercontent.com, subject: "repo:acme/site:ref:refs/heads/main"}}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
  several:
    from: {account: [dev, other], groups: [developers]}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
  ending:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    starts: "2026-11-26"
    expires: "2026-12-01"
    permissions: [{actions: "s3:*", resources: "*"}]
  each:
    from: {account: [dev, other], users: ["${source.name}-ci"], roles: [data/loader]}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
"""
).replace(
    '{id: "987654321098"}', '{id: "987654321098", tags: {tier: prod, bucket: data}}\n  other: {id: "111111111111"}'
)


@pytest.fixture
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("reconciler.commands.clock.now", lambda: NOW)
    folder = tmp_path / "manifests"
    (folder / "policies").mkdir(parents=True)
    (folder / "grants.yaml").write_text(GRANTS)
    (folder / "policies" / "read.json").write_text(json.dumps(POLICY))
    return folder


ASK = ("request", "reader", "--for", "2h", "--reason", "INC-42: look at it", "--requester", "bob@example.com")


def grants(folder: Path) -> dict[str, Grant]:
    return {grant.name: grant for grant in load([str(folder)]).grants}


def test_the_patch_makes_a_file_with_a_grant_like_the_other_for_a_time(
    manifests: Path, tmp_path: Path, xgrant: Run
) -> None:
    done = xgrant(*ASK)
    assert done.code == 0, done.err
    assert "from 2026-11-25T21:30:00Z to 2026-11-25T23:30:00Z" in done.err
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=done.out, text=True, check=True)
    found = grants(manifests)
    new, old = found["reader-bob-example-com-20261125"], found["reader"]
    assert (manifests / f"{new.name}.yaml").exists()
    assert (new.principals, new.permissions, new.role_path) == (
        old.principals,
        document(READING),
        "/data/",
    )
    assert (new.role_name, new.adopt, new.moved_from, new.prevent_destroy, new.rotate_every) == (
        new.name,
        False,
        (),
        False,
        None,
    )
    assert new.tags == {"team": "data", "requested-by": "bob@example.com", "request-reason": "INC-42: look at it"}
    assert new.description == "INC-42: look at it"
    assert new.conditions == {
        "Bool": {"aws:MultiFactorAuthPresent": ("true",)},
        "DateGreaterThanEquals": {"aws:CurrentTime": ("2026-11-25T21:30:00Z",)},
        "DateLessThan": {"aws:CurrentTime": ("2026-11-25T23:30:00Z",)},
    }


@pytest.mark.parametrize("below", [".", "team", "team/access"])
def test_the_patch_can_be_applied_in_whatever_folder_of_a_repository_it_is_made(
    manifests: Path, tmp_path: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    top = tmp_path / "repository"
    (top / below).mkdir(parents=True)
    shutil.move(manifests, top / below / "manifests")
    subprocess.run(["git", "init", "-q"], cwd=top, check=True)
    monkeypatch.chdir(top / below)
    done = xgrant(*ASK)
    subprocess.run(["git", "apply", "-"], cwd=top / below, input=done.out, text=True, check=True)
    assert Path("manifests/reader-bob-example-com-20261125.yaml").exists()


def test_a_file_is_written_where_there_is_none_and_a_second_request_has_another_name(
    manifests: Path, xgrant: Run
) -> None:
    first = xgrant(*ASK, "--as-file", "manifests/requests.yaml")
    assert (first.code, first.out) == (0, "")
    again = xgrant(*ASK, "--as-file", "manifests/requests.yaml")
    assert (again.code, "exists; name a new file" in again.err) == (64, True)
    (manifests / "more").mkdir()
    assert xgrant(*ASK, "--as-file", "manifests/more/second.yaml").code == 0
    assert {"reader-bob-example-com-20261125", "reader-bob-example-com-20261125-2"} <= {*grants(manifests)}


def test_a_file_that_the_manifests_do_not_hold_is_to_be_named(manifests: Path, xgrant: Run) -> None:
    assert "name it to plan" not in xgrant(*ASK).err
    assert (
        "It is in none of manifests: name it to plan and apply, too."
        in xgrant("request", "everywhere", *ASK[2:], "--as-file", "x.yaml").err
    )


def test_other_permissions_may_be_asked_for_and_a_later_time(manifests: Path, xgrant: Run) -> None:
    done = xgrant(
        *ASK, "--start", "2026-12-01T09:00+01:00", "--action", "s3:PutObject", "--resource", "arn:aws:s3:::b/*",
        "--as-file", "manifests/new.yaml",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "more than the grant reader surely does: s3:PutObject on arn:aws:s3:::b/*" in done.err
    found = grants(manifests)["reader-bob-example-com-20261201"]
    assert found.permissions == document({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"})
    assert found.starts == datetime(2026, 12, 1, 8, tzinfo=UTC).timestamp()


def test_variables_and_criteria_are_copied_as_they_stand(manifests: Path, xgrant: Run) -> None:
    assert xgrant("request", "everywhere", *ASK[2:], "--as-file", "manifests/new.yaml").code == 0
    assert "${account.tags.bucket}" in (manifests / "new.yaml").read_text()
    assert grants(manifests)["everywhere-bob-example-com-20261125"].target == "storage"


TEXTS = {
    "what tags do not take": (
        "don't, \"please\"; it's #1 <b>",
        "don t please it s 1 b",
        "don't, \"please\"; it's #1 <b>",
    ),
    "a variable": ("for ${account.id}", "for account.id", "for $ {account.id}"),
    "lines": ("one\ntwo\x1b[31m", "one two 31m", "one two [31m"),
    "other letters": ("Störung 故障", "Störung 故障", "Störung"),
    "letters that only a tag takes": ("故障", "故障", ""),
    "too long": ("x" * 2000, "x" * 256, "x" * 1000),
}


@pytest.mark.parametrize(("reason", "tag", "description"), TEXTS.values(), ids=list(TEXTS))
def test_whatever_the_reason_is_aws_takes_it(
    manifests: Path, xgrant: Run, reason: str, tag: str, description: str
) -> None:
    done = xgrant(
        "request", "reader", "--for", "2h", "--reason", reason, "--requester", "bob", "--as-file", "manifests/n.yaml"
    )
    assert done.code == 0, done.err
    found = grants(manifests)["reader-bob-20261125"]
    assert (found.tags["request-reason"], found.description) == (tag, description)


REFUSED: dict[str, tuple[list[Any], int, str]] = {
    "no such grant": (["request", "redaer", *ASK[2:]], 64, "did you mean reader?"),
    "one target": (["request", "reader@storage", *ASK[2:]], 64, "without an account"),
    "no reason": ([*ASK[:5], "", "--requester", "b"], 64, "--reason: nothing of it"),
    "no requester": ([*ASK, "--requester", "***"], 64, "--requester: nothing of it"),
    "no length": (["request", "reader", "--reason", "x"], 64, "--for"),
    "too long": (["request", "reader", "--for", "9999d", "--reason", "x"], 64, "at most 365d"),
    "over": ([*ASK, "--start", "2026-11-25T21:29:59Z"], 64, "is over"),
    "no zone": ([*ASK, "--start", "2026-12-25T21:29:59"], 64, "--start: a time needs its zone"),
    "an action alone": ([*ASK, "--action", "s3:GetObject"], 64, "go together"),
    "no manifest": ([*ASK, "--as-file", "manifests/x.txt"], 64, "named *.yaml"),
    "no kind": ([*ASK, "--principal", "alice"], 64, "is one of user/NAME, group/NAME, role/NAME, permission-set/NAME"),
    "no name": ([*ASK, "--principal", "user/"], 64, "this is user/"),
    "no caller": (
        [*ASK, "--principal", "role/ci"],
        64,
        "the role ci is no caller of the grant: those are user alice, ",
    ),
    "no user of it": (
        ["request", "everywhere", *ASK[2:], "--principal", "user/bob"],
        64,
        "the user bob is no caller of the grant",
    ),
    "a whole account": (
        ["request", "whole", *ASK[2:], "--principal", "user/bob"],
        64,
        "a whole account, whose own policies choose",
    ),
    "a token": (["request", "jobs", *ASK[2:], "--principal", "user/bob"], 64, "narrow `subject` in the new file"),
    "of two accounts": (
        ["request", "each", *ASK[2:], "--principal", "role/data/loader"],
        64,
        "the role data/loader may be of dev, other; name its account, too, like dev/role/data/loader",
    ),
    "a user of a group in two accounts": (
        ["request", "several", *ASK[2:], "--principal", "user/bob"],
        64,
        "may be of dev, other; name its account",
    ),
    "principals of two accounts": (
        ["request", "each", *ASK[2:], "--principal", "dev/role/loader", "--principal", "other/role/loader"],
        64,
        "these are of dev, other; ask for those of each account by itself",
    ),
    "of another account": (
        ["request", "reader", *ASK[2:], "--principal", "other/user/alice"],
        64,
        "user alice of other is no caller",
    ),
    "a variable": (
        ["request", "reader", *ASK[2:], "--principal", "user/${source.name}"],
        64,
        "would let in user dev of dev, too",
    ),
    "after the grant has ended": (
        ["request", "ending", *ASK[2:], "--start", "2026-12-31"],
        64,
        "the grant ending is not in force from 2026-12-31T00:00:00Z to 2026-12-31T02:00:00Z",
    ),
    "before the grant begins": (["request", "ending", *ASK[2:]], 64, "is not in force"),
    "no action": ([*ASK, "--action", "s3", "--resource", "*", "--as-file", "manifests/x.yaml"], 3, "manifests/x.yaml:"),
}


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_asked_for_is_refused_and_nothing_is_written(
    manifests: Path, xgrant: Run, arguments: list[str], code: int, words: str
) -> None:
    before = sorted(manifests.rglob("*"))
    result = xgrant(*arguments)
    assert (result.code, result.out) == (code, ""), result.err
    assert words in result.err
    assert sorted(manifests.rglob("*")) == before


def test_without_a_requester_it_is_whoever_asks(manifests: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "carol")
    monkeypatch.delenv("GITHUB_ACTOR", raising=False)
    monkeypatch.delenv("GITLAB_USER_LOGIN", raising=False)
    assert "+++ b/manifests/reader-carol-20261125.yaml" in xgrant(*ASK[:6]).out


def test_less_than_the_grant_has_is_asked_for_without_a_warning(manifests: Path, xgrant: Run) -> None:
    done = xgrant(*ASK, "--action", "s3:GetObject", "--resource", "arn:aws:s3:::b/*")
    assert (done.code, "allows more" in done.err) == (0, False)


def test_other_permissions_than_those_of_a_grant_that_denies_are_refused(manifests: Path, xgrant: Run) -> None:
    denying = {**POLICY, "Statement": [READING, {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/x"}]}
    (manifests / "policies" / "read.json").write_text(json.dumps(denying))
    done = xgrant(*ASK, "--action", "s3:GetObject", "--resource", "arn:aws:s3:::b/*")
    assert (done.code, done.out, "the grant reader denies something" in done.err) == (64, "", True)
    assert xgrant(*ASK).code == 0


CHOSEN = {
    "a user of the grant": ("reader", ["user/Alice"], [("user", "alice")], "open to user alice of dev only.", False),
    "a user of its group": ("reader", ["user/team/bob"], [("user", "bob")], "whether", True),
    "by its account": ("reader", ["dev/user/Alice"], [("user", "alice")], "open to user alice of dev only.", False),
    "its group": ("reader", ["group/developers"], [("group", "developers")], "open to group developers of dev.", False),
    "two": ("reader", ["user/alice", "group/developers", "user/alice"], [("user", "alice"), ("group", "developers")],
            "", False),
    "a role with its path": ("each", ["dev/role/loader"], [("role", "loader")], "role data/loader of dev only", False),
    "what only one of two accounts has": (
        "each", ["user/other-ci"], [("user", "other-ci")], "open to user other-ci of other only", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("like", "words", "callers", "says", "unchecked"), CHOSEN.values(), ids=list(CHOSEN))
def test_only_the_callers_that_are_named_are_let_in(
    manifests: Path,
    xgrant: Run,
    like: str,
    words: list[str],
    callers: list[tuple[str, str]],
    says: str,
    unchecked: bool,
) -> None:
    named = [part for word in words for part in ("--principal", word)]
    done = xgrant("request", like, *ASK[2:], *named, "--as-file", "manifests/n.yaml")
    assert done.code == 0, done.err
    new = grants(manifests)[f"{like}-bob-example-com-20261125"]
    assert [(one.kind, one.name) for one in new.principals] == callers
    assert says.lower() in done.err.lower()
    assert ("team/bob is in a group of reader was not checked" in done.err) is unchecked
    assert "all callers" not in done.err


@pytest.mark.parametrize(
    ("like", "says"),
    [("reader", "all callers of reader: user alice of dev, group developers of dev; --principal user/NAME narrows it."),
     ("whole", "all callers of whole: whoever dev lets in;"),
     ("jobs", "all callers of jobs: who has a token of token.actions.githubusercontent.com.")],
)  # fmt: skip
def test_who_gets_in_beside_whoever_asks_is_said(manifests: Path, xgrant: Run, like: str, says: str) -> None:
    assert f"It is open to {says}" in xgrant("request", like, *ASK[2:]).err


@pytest.mark.parametrize(
    ("words", "holds", "says"),
    [
        (["--for", "60d"], ("2026-11-26", "2026-12-01"),
         "it begins only with ending, at 2026-11-26T00:00:00Z; it ends with ending, at 2026-12-01T00:00:00Z."),
        (["--start", "2026-11-30", "--for", "30d"], ("2026-11-30", "2026-12-01"),
         "That is shorter than you asked: it ends with ending, at 2026-12-01T00:00:00Z."),
        (["--start", "2026-11-30", "--for", "1d"], ("2026-11-30", "2026-12-01"), ""),
    ],
)  # fmt: skip
def test_a_grant_that_is_asked_for_holds_within_the_time_of_the_other(
    manifests: Path, xgrant: Run, words: list[str], holds: tuple[str, str], says: str
) -> None:
    done = xgrant("request", "ending", *words, "--reason", "x", "--requester", "bob", "--as-file", "manifests/n.yaml")
    assert done.code == 0, done.err
    assert ("shorter" in done.err, says in done.err) == (bool(says), True)
    (new,) = (one for name, one in grants(manifests).items() if name.startswith("ending-bob"))
    assert (new.starts, new.expires) == tuple(datetime.fromisoformat(f"{day}T00:00Z").timestamp() for day in holds)
    assert f"from {holds[0]}T00:00:00Z to {holds[1]}T00:00:00Z" in done.err


def test_that_nobody_has_looked_whether_a_user_is_in_a_group_stands_in_the_file_that_is_reviewed(
    manifests: Path, xgrant: Run
) -> None:
    note = "# Whether bob is in a group of reader was not checked; do so."
    assert f"+  {note}\n" in xgrant(*ASK, "--principal", "user/bob").out
    assert "not checked" not in xgrant(*ASK, "--principal", "user/alice").out


def test_that_the_role_of_a_group_trusts_the_whole_account_is_said(manifests: Path, xgrant: Run) -> None:
    assert "trusts the whole" not in xgrant(*ASK, "--principal", "user/alice").err
    done = xgrant(*ASK, "--principal", "group/developers")
    assert "Its role trusts the whole of dev, as for any group: others get in whose own policies there allow it" in (
        done.err
    )
    assert "trusts the whole of dev, other," in xgrant("request", "several", *ASK[2:]).err
