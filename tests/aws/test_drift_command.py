"""`xgrant drift`: what AWS has acquired against the manifests, by account and attribute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import RECONCILER, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.aws.test_drift import policy
from tests.conftest import EXAMPLE, Run
from tests.rendered import foreign, shape

ROLE = "CrossAccountS3ReadRole"


@pytest.fixture
def applied(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> Scenario:
    """The example, applied."""
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    sandbox.recorder.take()
    return scenario


def test_there_is_none_after_an_apply(applied: Scenario, xgrant: Run) -> None:
    result = xgrant("drift", EXAMPLE)
    assert (result.code, result.out) == (0, "No drift. AWS is as the manifests say.\n")


def test_it_is_grouped_by_account_with_the_path_of_each_attribute(
    applied: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    target, source = (root_client(sandbox, "iam", account) for account in (TARGET, SOURCE))
    target.tag_role(RoleName=ROLE, Tags=[{"Key": "owner", "Value": "me"}])
    target.update_role(RoleName=ROLE, Description="by hand", MaxSessionDuration=7200)
    target.put_role_policy(
        RoleName=ROLE,
        PolicyName="xgrant-permissions",
        PolicyDocument=policy(Action=["s3:GetObject", "s3:ListBucket", "s3:PutObject"], Resource="*"),
    )
    source.delete_group_policy(GroupName="developers", PolicyName="xgrant.platform.shared-bucket-read")
    source.put_user_policy(
        UserName="alice", PolicyName="xgrant.platform.old", PolicyDocument=policy(Action="sts:AssumeRole", Resource="*")
    )
    sandbox.recorder.take()
    result = xgrant("drift", EXAMPLE)
    assert result.code == 2
    lines = [line.strip() for line in result.out.splitlines()]
    assert lines.index(f"account dev ({SOURCE})") < lines.index(f"account storage ({TARGET})")
    for line in (
        "dev/user/alice/caller-policy/old: not in the manifests  (grant old)",
        "dev/group/developers/caller-policy/shared-bucket-read: missing in AWS  (grant shared-bucket-read)",
        f"storage/role/{ROLE}: changed  (grant shared-bucket-read)",
        'description: "Developers read the shared bucket" in the manifests, "by hand" in AWS',
        'tags.owner: (none) in the manifests, "me" in AWS',
        "max_session_duration: 3600 in the manifests, 7200 in AWS",
        'inline_policies.xgrant-permissions.Statement.s3:GetObject.Action: (none) in the manifests, "s3:PutObject" in AWS',
    ):
        assert line in lines, result.out
    assert lines[-1] == "Drift: 1 missing in AWS, 1 not in the manifests, 1 changed."
    assert list(writes(sandbox.recorder.take())) == []

    data: Any = json.loads(xgrant("drift", EXAMPLE, "--format", "json").out)
    assert (data["drifted"], data["complete"]) == (True, True)
    (role,) = next(account for account in data["accounts"] if account["name"] == "storage")["changes"]
    assert {"path": ["tags", "owner"], "aws": "me"} in role["differences"]


def test_a_policy_that_only_one_side_has_is_told_statement_by_statement(
    applied: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    target = root_client(sandbox, "iam", TARGET)
    own = policy(Action=["s3:PutObject", "s3:GetObject"], Resource="*")
    target.put_role_policy(RoleName=ROLE, PolicyName="own", PolicyDocument=own)
    assert (
        "      inline_policies.own: only in AWS\n"
        "        Allow\n"
        "          Action: s3:GetObject\n"
        "          Action: s3:PutObject\n"
        "          Resource: *\n"
    ) in xgrant("drift", EXAMPLE).out


def test_a_changed_external_id_shows_and_is_hidden(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.yaml"
    stated = EXAMPLE.read_text().replace(
        "    permissions:", "    require: {external_id: canary-1}\n    permissions:", 1
    )
    manifest.write_text(stated)
    xgrant("apply", manifest, "--auto-approve")
    manifest.write_text(stated.replace("canary-1", "canary-2"))
    for form in ("text", "json", "github"):
        result = xgrant("drift", manifest, "--format", form)
        assert result.code == 2
        assert "canary" not in result.out
        assert foreign(shape(result.out)) == [] or form != "github"
        assert {"(hidden)", "(hidden 2)"} == {word for word in ("(hidden)", "(hidden 2)") if word in result.out}


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_an_account_that_cannot_be_read_is_an_error_and_never_clean(
    applied: Scenario, sandbox: Sandbox, xgrant: Run, form: str
) -> None:
    root_client(sandbox, "iam", TARGET).delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile")
    sandbox.enforce(on=True)
    result = xgrant("drift", EXAMPLE, "--format", form)
    assert result.code == 6
    assert "AccessDenied" in result.out
    assert "No drift. " not in result.out
    assert form != "json" or json.loads(result.out)["complete"] is False
    assert form != "markdown" or result.out.startswith("## Drift of `platform`: none; in part\n")


def test_a_foreign_role_in_the_place_of_ours_is_not_clean(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": SOURCE}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    root_client(sandbox, "iam", TARGET).create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)
    result = xgrant("drift", EXAMPLE)
    assert (result.code, "XG201" in result.out) == (2, True)
