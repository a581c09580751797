"""A table of broken set-ups, each with what doctor finds, and a healthy one of which it finds nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler import clock, permissions
from reconciler.data import data_path
from reconciler.ownership import role_tags
from reconciler.sandbox.scenario import (
    PERMISSIONS,
    RECONCILER,
    SOURCE,
    STORE,
    TARGET,
    Scenario,
    add_reconciler,
    root_client,
    seed,
)
from reconciler.sandbox.server import Sandbox
from tests.aws.strict_support import trust
from tests.conftest import EXAMPLE, Run
from tests.snapshots import once

ROLE = f"arn:aws:iam::{TARGET}:role/xgrant/CrossAccountS3ReadRole"
GROUP = f"arn:aws:iam::{SOURCE}:group/developers"
NOBODY = trust(f"arn:aws:iam::{TARGET}:root")
BASIC = {"ReadWriteType": "All", "IncludeManagementEvents": True}
MANIFEST = EXAMPLE.read_text()
SEPARATE = MANIFEST.replace(
    "assume_role: {name: xgrant-reconciler}",
    "plan: {role: xgrant-reader}\n    apply: {role: xgrant-reconciler}",
)


def reads_only(*more: str) -> str:
    """What reads all, and does some more."""
    read = [*(action for several in permissions.READ.values() for action in several), *permissions.LOOK, *more]
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": read, "Resource": "*"}]})


def narrow() -> str:
    """All that the example needs, and nothing else."""
    reread = (action for several in permissions.REREAD.values() for action in several)
    document = json.loads(reads_only(*reread))
    document["Statement"] += [
        {"Effect": "Allow", "Action": list(permissions.ROLE), "Resource": ROLE},
        {"Effect": "Allow", "Action": list(permissions.CALLER["group"]), "Resource": GROUP},
    ]
    return json.dumps(document)


def _healthy(sandbox: Sandbox) -> Scenario:
    scenario = seed(sandbox)
    for account in (SOURCE, TARGET):
        set_up = root_client(sandbox, "iam", account)
        set_up.put_role_policy(RoleName=RECONCILER, PolicyName="reconcile", PolicyDocument=narrow())
        add_reconciler(sandbox, account, "xgrant-reader")
        set_up.put_role_policy(RoleName="xgrant-reader", PolicyName="reconcile", PolicyDocument=reads_only())
        root_client(sandbox, "s3", account).create_bucket(Bucket=f"trail-of-{account}")
        cloudtrail = root_client(sandbox, "cloudtrail", account)
        cloudtrail.create_trail(Name="all", S3BucketName=f"trail-of-{account}", IsMultiRegionTrail=True)
        cloudtrail.start_logging(Name="all")
    readers = [f"arn:aws:iam::{account}:role/xgrant-*" for account in (SOURCE, TARGET)]
    root_client(sandbox, "iam", SOURCE).put_user_policy(
        UserName="operator", PolicyName="read", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": readers}]}
        ),
    )  # fmt: skip
    return scenario


_once = once(_healthy)


@dataclass
class World:
    """The healthy set-up, and how it can be broken; what a test breaks is of the account that is the target."""

    sandbox: Sandbox
    patch: pytest.MonkeyPatch

    def iam(self) -> Any:
        return root_client(self.sandbox, "iam", TARGET)

    def trail(self) -> Any:
        return root_client(self.sandbox, "cloudtrail", TARGET)

    def allow(self, document: Any, role: str = RECONCILER) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        self.iam().put_role_policy(RoleName=role, PolicyName="reconcile", PolicyDocument=text)

    def select(self, **selectors: Any) -> None:
        self.trail().put_event_selectors(TrailName="all", **selectors)

    def clock(self, seconds: float) -> None:
        real = clock.now
        self.patch.setattr("reconciler.clock.now", lambda: real() + seconds)


@pytest.fixture
def world(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in _once(sandbox).environment().items():
        monkeypatch.setenv(name, value)
    return World(sandbox, monkeypatch)


def examined(world: World, run: Run, manifest: str = MANIFEST) -> tuple[int, list[dict[str, Any]]]:
    Path("grants.yaml").write_text(manifest)
    world.sandbox.enforce(on=True)
    result = run("doctor", "grants.yaml", "--format", "json")
    data = json.loads(result.out)
    schema = json.loads(data_path("schemas/health.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(data)
    assert set(data["accounts"]) == {"dev", "storage"}
    return result.code, data["findings"]


@pytest.mark.parametrize(
    "manifest",
    [MANIFEST, SEPARATE, f"{MANIFEST}store: s3://{STORE}/xgrant\n"],
    ids=["one role", "two roles", "a store"],
)
def test_of_a_healthy_set_up_nothing_is_found(world: World, xgrant: Run, manifest: str) -> None:
    assert examined(world, xgrant, manifest) == (0, [])
    # The store has its probe the second time.
    assert xgrant("doctor", "grants.yaml").out == "2 accounts looked at: nothing is wrong.\n"


@dataclass(frozen=True)
class Case:
    """How it is broken, and what is found; `says` stands in the message."""

    how: Callable[[World], object]
    rule: str
    level: str
    says: str
    code: int = 2
    account: str | None = "storage"
    manifest: str = MANIFEST


def management(**fields: Any) -> list[dict[str, Any]]:
    found = [{"Field": "eventCategory", "Equals": ["Management"]}]
    return [{"Name": "some", "FieldSelectors": found + [{"Field": name, **how} for name, how in fields.items()]}]


BROKEN = {
    "nobody is let in": Case(
        lambda w: w.iam().update_assume_role_policy(RoleName=RECONCILER, PolicyDocument=NOBODY),
        "XG300", "error", "cannot be reached to plan: account storage: AssumeRole: AccessDenied", code=6,
    ),
    "it may not be read": Case(
        lambda w: w.iam().delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile"),
        "XG300", "error", "GetAccountAuthorizationDetails: AccessDenied", code=6,
    ),
    "nobody is let in to apply": Case(
        lambda w: w.iam().update_assume_role_policy(RoleName=RECONCILER, PolicyDocument=NOBODY),
        "XG301", "error", "cannot be reached to apply: account storage: AssumeRole: AccessDenied", manifest=SEPARATE,
    ),
    "there is no trail": Case(lambda w: w.trail().delete_trail(Name="all"), "XG310", "warning", "it has no trail"),
    "the trail is off": Case(
        lambda w: w.trail().stop_logging(Name="all"), "XG310", "warning", "its trails are off: all"
    ),
    "the trail has one region": Case(
        lambda w: w.trail().update_trail(Name="all", IsMultiRegionTrail=False),
        "XG311", "warning", "no trail that is on has all regions: all",
    ),
    "the trail has writes only": Case(
        lambda w: w.select(EventSelectors=[{**BASIC, "ReadWriteType": "WriteOnly"}]),
        "XG312", "warning", "has management events that read",
    ),
    "the trail has no management events": Case(
        lambda w: w.select(EventSelectors=[{**BASIC, "IncludeManagementEvents": False}]),
        "XG312", "warning", "has management events that read",
    ),
    "the trail leaves out what reads": Case(
        lambda w: w.select(AdvancedEventSelectors=management(readOnly={"Equals": ["false"]})),
        "XG312", "warning", "has management events that read",
    ),
    "the trail leaves out STS": Case(
        lambda w: w.select(AdvancedEventSelectors=management(eventSource={"NotEquals": ["sts.amazonaws.com"]})),
        "XG312", "warning", "has management events that read",
    ),
    "the trail may not be seen": Case(
        lambda w: w.allow(narrow().replace("cloudtrail:DescribeTrails", "cloudtrail:ListTrails")),
        "XG313", "note", "whether CloudTrail is on cannot be seen", code=0,
    ),
    "what a trail has may not be seen": Case(
        lambda w: w.allow(narrow().replace("cloudtrail:GetEventSelectors", "cloudtrail:ListTrails")),
        "XG313", "note", "cannot be seen: of all: account storage: GetEventSelectors: AccessDenied", code=0,
    ),
    "roles are nearly used up": Case(
        lambda w: w.sandbox.strict.quotas.update({TARGET: {"RolesQuota": 2}}),
        "XG320", "warning", "2 of 2 roles are used (100%)",
    ),
    "a permission is missing": Case(
        lambda w: w.allow(narrow().replace('"iam:TagRole", ', "")),
        "XG330", "error", f"role/{RECONCILER} may not do iam:TagRole (asked of {ROLE})",
    ),
    "a permission is narrowed to another path": Case(
        lambda w: w.allow(narrow().replace(ROLE, f"arn:aws:iam::{TARGET}:role/elsewhere/*")),
        "XG330", "error", "may not do iam:CreateRole",
    ),
    "it may make users": Case(
        lambda w: w.allow({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iam:*", "cloudtrail:*"], "Resource": "*"}]}),
        "XG331", "warning", "may do iam:CreateUser, iam:CreateAccessKey",
    ),
    "what only plans may write": Case(
        lambda w: w.allow(reads_only("iam:PutRolePolicy"), "xgrant-reader"),
        "XG332", "warning", "xgrant-reader, which only plans, may do iam:PutRolePolicy", manifest=SEPARATE,
    ),
    "it may write itself": Case(
        lambda w: w.allow(PERMISSIONS), "XG333", "note", "may write itself and any other role", code=0
    ),
    "it may not ask what it may": Case(
        lambda w: w.allow(narrow().replace("iam:SimulatePrincipalPolicy", "iam:SimulateCustomPolicy")),
        "XG334", "note", "what xgrant may do in the account cannot be seen", code=0,
    ),
    "the clock is a little off": Case(
        lambda w: w.clock(90), "XG340", "warning", "s ahead of that of AWS", account=None
    ),
    "the clock is far off": Case(lambda w: w.clock(-400), "XG340", "error", "s behind that of AWS", account=None),
    "the global endpoint of STS": Case(
        lambda w: w.patch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
        "XG341", "warning", "sts_regional_endpoints = legacy", account=None,
    ),
    "the store is not there": Case(
        lambda _: None, "XG350", "error", "the store s3://no-such-bucket/xgrant: ListObjectsV2", account=None,
        manifest=f"{MANIFEST}store: s3://no-such-bucket/xgrant\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_found_with_its_code_its_level_and_what_to_do(world: World, xgrant: Run, case: Case) -> None:
    case.how(world)
    code, found = examined(world, xgrant, case.manifest)
    matching = [one for one in found if one["rule"] == case.rule]
    assert [(one["severity"], one["account"]) for one in matching] == [(case.level, case.account)], found
    assert case.says in matching[0]["message"]
    assert matching[0]["why"]
    assert matching[0]["way_out"]
    assert code == case.code
    # Nothing else is wrong, but what follows from it.
    assert {one["rule"] for one in found} - {case.rule, "XG333"} == set()


OLD = """\
  old:
    expires: "2020-01-01"
    from: {account: dev, groups: [leavers]}
    to: {account: storage, role: Old, path: /old/}
    permissions: [{actions: s3:GetObject, resources: "arn:aws:s3:::b/*"}]
"""


@pytest.mark.parametrize("stands", [False, True])
def test_for_a_grant_that_has_expired_only_what_removes_its_role_is_needed(
    world: World, xgrant: Run, *, stands: bool
) -> None:
    if stands:
        tags = [{"Key": key, "Value": value} for key, value in role_tags("platform", "old").items()]
        world.iam().create_role(RoleName="Old", Path="/old/", AssumeRolePolicyDocument=NOBODY, Tags=tags)
    code, found = examined(world, xgrant, f"{MANIFEST}{OLD}")
    # Of the role, and of the callers whose policies go with it.
    assert (code, [one["rule"] for one in found]) == ((2, ["XG330", "XG330"]) if stands else (0, []))


def test_each_caller_is_asked_about_since_policies_name_them_one_by_one(world: World, xgrant: Run) -> None:
    code, (found,) = examined(world, xgrant, MANIFEST.replace("[developers]", "[developers, leavers]"))
    assert (code, found["rule"], found["account"]) == (2, "XG330", "dev")
    assert f"asked of {GROUP.replace('developers', 'leavers')})" in found["message"]
    assert "make xgrant-member anew, and deploy it again" in found["way_out"]


def test_it_is_told_in_words(world: World, xgrant: Run) -> None:
    BROKEN["there is no trail"].how(world)
    examined(world, xgrant)
    result = xgrant("doctor", "grants.yaml")
    lines = result.out.splitlines()
    assert lines[0] == "warning XG310: account storage: it has no trail"
    assert lines[1].startswith("  why: AssumeRole is a management event that reads")
    assert lines[2].startswith("  what to do: make a trail")
    assert lines[-1] == "2 accounts looked at: 1 warning."
    assert result.code == 2


def test_what_is_wrong_in_several_accounts_is_told_once(world: World, xgrant: Run) -> None:
    world.sandbox.strict.quotas.update({account: {"RolesQuota": 1} for account in (SOURCE, TARGET)})
    for account in (SOURCE, TARGET):
        root_client(world.sandbox, "cloudtrail", account).delete_trail(Name="all")
    examined(world, xgrant)
    lines = xgrant("doctor", "grants.yaml").out.splitlines()
    assert lines[0] == "warning XG310: 2 accounts (dev, storage): it has no trail"
    assert lines[3] == "warning XG320: 2 accounts (dev, storage): 2 of 1 roles are used (200%)"
    assert lines[-1] == "2 accounts looked at: 4 warnings."


def test_the_permissions_that_are_asked_about_are_those_of_the_readme() -> None:
    document: Any = PERMISSIONS
    stated = {statement["Sid"]: set(statement["Action"]) for statement in document["Statement"]}
    read = {action for several in permissions.READ.values() for action in several} | {permissions.PROVIDERS}
    caller = {action for several in permissions.CALLER.values() for action in several}
    attach = {*permissions.ATTACH["user"], *permissions.ATTACH["group"]}
    assert stated == {
        "Read": read,
        "Reread": {action for several in permissions.REREAD.values() for action in several},
        "Look": set(permissions.LOOK),
        "Audit": set(permissions.AUDIT),
        "TargetAccount": {*permissions.ROLE, "iam:RemoveRoleFromInstanceProfile"},
        "SourceAccount": caller,
        "ManagedPolicies": {*permissions.MANAGED_POLICY, *attach},
    }
