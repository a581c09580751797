"""Each action of the writing role is needed: where one is taken away, the run fails in that account, and says why.

There are as many accounts as actions, each with a writing role that lacks one, and one apply over all of them, in which
each account has something to do that takes the action that it lacks. What the reading role needs to look at more than a
plan does, fails softer: a table says how.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from reconciler.bootstrap.explain import access
from reconciler.bootstrap.member import boundary, writer
from reconciler.bootstrap.model import Document
from reconciler.policy.document import listed
from reconciler.sandbox.scenario import SOURCE, TARGET
from tests.aws.bootstrap_support import HOST, options, trusting
from tests.aws.strict_support import policy
from tests.aws.test_bootstrap import Work, work  # noqa: F401 - the fixture

Grant = dict[str, Any] | None
Change = Callable[[Any, str], object]
FEW = [{"actions": "s3:GetObject", "resources": "arn:aws:s3:::b/*"}]
LARGE = [{"actions": "s3:GetObject", "resources": f"arn:aws:s3:::{number:0200d}/*"} for number in range(44)]
"""More than the inline policies of a role hold."""


def _nothing(_iam: Any, _account: str) -> None:
    """Change nothing by hand."""


def to(permissions: Any = FEW, **more: Any) -> dict[str, Any]:
    """Return a grant to the account that lacks something."""
    return {
        "from": {"account": "dev", "entire_account": True},
        "to": {"account": "HERE"},
        "permissions": permissions,
        **more,
    }


def of(**callers: list[str]) -> dict[str, Any]:
    """Return a grant to callers of the account that lacks something."""
    return {"from": {"account": "HERE", **callers}, "to": {"account": "storage"}, "permissions": FEW}


@dataclass(frozen=True)
class Row:
    """An action, what a first run makes, what is changed by hand then, and what the run wants that lacks the action."""

    action: str
    before: Grant
    after: Grant
    change: Change = _nothing


def described(iam: Any, _account: str) -> None:
    iam.update_role(RoleName="r", Description="by hand", MaxSessionDuration=3600)


def another_version(iam: Any, account: str, *, default: bool = False) -> None:
    found = iam.list_policies(Scope="Local", PathPrefix="/xgrant/platform/")["Policies"]
    assert f":{account}:" in found[0]["Arn"]
    iam.create_policy_version(PolicyArn=found[0]["Arn"], PolicyDocument=policy(), SetAsDefault=default)


def spoilt(iam: Any, account: str) -> None:
    another_version(iam, account, default=True)


def other_boundary(iam: Any, account: str) -> None:
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=f"arn:aws:iam::{account}:policy/audit")


def attached(iam: Any, account: str) -> None:
    iam.attach_role_policy(RoleName="r", PolicyArn=f"arn:aws:iam::{account}:policy/audit")


def in_profile(iam: Any, _account: str) -> None:
    iam.create_instance_profile(InstanceProfileName="machine", Path="/xgrant/")
    iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="r")


def opened(iam: Any, _account: str) -> None:
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trusting("*"))


JOB = {**to(), "from": {"oidc": {"provider": HOST, "subject": "repo:acme/site:ref:refs/heads/main"}}}
GROUP, USER = of(groups=["developers"]), of(users=["alice"])
ROWS: tuple[Row, ...] = (
    Row("iam:GetAccountAuthorizationDetails", None, to()),
    Row("iam:GetAccountSummary", None, to()),
    Row("iam:ListRoles", None, to()),
    Row("iam:ListOpenIDConnectProviders", None, JOB),
    Row("iam:GetRole", to(), to(), described),
    Row("iam:ListRolePolicies", to(), to(), described),
    Row("iam:GetRolePolicy", to(), to(), described),
    Row("iam:ListAttachedRolePolicies", to(), to(), described),
    Row("iam:ListInstanceProfilesForRole", to(), None),
    Row("iam:GetUserPolicy", USER, None),
    Row("iam:GetGroupPolicy", GROUP, None),
    Row("iam:GetPolicy", to(LARGE), to(LARGE), spoilt),
    Row("iam:GetPolicyVersion", to(LARGE), to(LARGE), spoilt),
    Row("iam:ListEntitiesForPolicy", to(LARGE), to()),
    Row("iam:CreateRole", None, to()),
    Row("iam:TagRole", None, to()),
    Row("iam:PutRolePermissionsBoundary", to(), to(), other_boundary),
    Row("iam:UpdateAssumeRolePolicy", to(), to(), opened),
    Row("iam:UpdateRole", to(), to(), described),
    Row("iam:PutRolePolicy", None, to()),
    Row("iam:AttachRolePolicy", None, to(LARGE)),
    Row("iam:DeleteRole", to(), None),
    Row("iam:DeleteRolePolicy", to(), None),
    Row("iam:DetachRolePolicy", to(), to(), attached),
    Row("iam:UntagRole", to(tags={"team": "data"}), to()),
    Row("iam:RemoveRoleFromInstanceProfile", to(), None, in_profile),
    Row("iam:CreatePolicy", None, to(LARGE)),
    Row("iam:TagPolicy", None, to(LARGE)),
    Row("iam:DeletePolicy", to(LARGE), to()),
    Row("iam:ListPolicyVersions", to(LARGE), to(), another_version),
    Row("iam:CreatePolicyVersion", to(LARGE), to(LARGE), spoilt),
    Row("iam:DeletePolicyVersion", to(LARGE), to(), another_version),
    Row("iam:PutUserPolicy", None, USER),
    Row("iam:DeleteUserPolicy", USER, None),
    Row("iam:PutGroupPolicy", None, GROUP),
    Row("iam:DeleteGroupPolicy", GROUP, None),
)  # fmt: skip

WRITER: dict[str, Any] = {"callers": ("group/developers", "user/alice"), "caller_policies": "inline"}
"""The options of `xgrant bootstrap` whose writing role is taken apart: what it makes by itself, and users as callers."""


def _accounts() -> Iterator[tuple[str, str, Row]]:
    """Yield the id and the name of the account of each row."""
    for number, row in enumerate(ROWS):
        yield f"{700000000000 + number}", row.action.removeprefix("iam:").lower(), row


def _document(document: Document, account: str) -> dict[str, Any]:
    return dict(
        json.loads(json.dumps(document).replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", account))
    )


def _without(document: Mapping[str, Any], action: str) -> dict[str, Any]:
    """Return a policy that allows all but one action; what then allows nothing is left out."""
    statements = []
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            left = [other for other in listed(statement["Action"]) if other != action]
            statements += [{**statement, "Action": left}] if left else []
        else:
            statements.append(statement)
    return {**document, "Statement": statements}


def _writer(account: str) -> dict[str, Any]:
    return _document(writer(options(**WRITER)), account)


def _deploy(work: Work) -> None:  # noqa: F811
    """Make the boundary and the writing role in each account, and who is there beside."""
    most = boundary(options(**WRITER))
    trust = work.iam().get_role(RoleName="xgrant-writer")["Role"]["AssumeRolePolicyDocument"]
    for account, _, row in _accounts():
        iam = work.iam(account)
        iam.create_policy(PolicyName="xgrant-boundary", PolicyDocument=json.dumps(_document(most, account)))
        iam.create_policy(PolicyName="audit", PolicyDocument=policy())
        iam.create_role(RoleName="xgrant-writer", AssumeRolePolicyDocument=json.dumps(trust))
        _allow(iam, _writer(account))
        if row.action.endswith("Providers"):
            iam.create_open_id_connect_provider(
                Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
            )
        if "User" in row.action or "Group" in row.action:
            iam.create_group(GroupName="developers")
            iam.create_user(UserName="alice")


def _allow(iam: Any, document: Mapping[str, Any]) -> None:
    iam.put_role_policy(RoleName="xgrant-writer", PolicyName="write", PolicyDocument=json.dumps(document))


def _manifest(work: Work, which: str) -> None:  # noqa: F811
    grants, accounts = {}, {"dev": {"id": SOURCE}, "storage": {"id": TARGET}}
    for account, name, row in _accounts():
        stated = getattr(row, which)
        if stated or which == "after":
            accounts[name] = {"id": account}
        if stated:
            role = "r" if stated["to"]["account"] == "HERE" else name
            text = json.dumps({**stated, "to": {**stated["to"], "role": role}})
            grants[name] = json.loads(text.replace("HERE", name))
    data = yaml.safe_load(access(work.options)) | {
        "version": 1,
        "stack": "platform",
        "accounts": accounts,
        "limits": {"delete": 1000, "delete_percent": 100},
        "grants": grants,
    }  # fmt: skip
    (work.folder / "grants.yaml").write_text(json.dumps(data), encoding="utf-8")


def test_where_one_action_of_the_writing_role_is_taken_away_the_run_fails_and_names_it(work: Work) -> None:  # noqa: F811
    _deploy(work)
    _manifest(work, "before")
    work.run("apply", "--auto-approve")
    for account, _, row in _accounts():
        iam = work.iam(account)
        row.change(iam, account)
        _allow(iam, _without(_writer(account), row.action))
    _manifest(work, "after")
    work.judged.clear()
    out = work.run("apply", "--auto-approve", expect=6)
    denied = {(each.caller.split(":")[4], each.asked.action) for each in work.judged if not each.allowed}
    assert {(account, row.action) for account, _, row in _accounts()} ^ denied == set()
    for _, name, row in _accounts():
        assert f"account {name}: " in out, row.action
        assert f"not authorized to perform: {row.action}" in out


def test_each_action_of_the_writing_role_is_one_that_is_taken_away_here() -> None:
    allows = [one for one in _writer(TARGET)["Statement"] if one["Effect"] == "Allow"]
    assert {action for one in allows for action in one["Action"]} == {
        *(row.action for row in ROWS), *(row.action for row in LOOKING if row.of_writer),
    }  # fmt: skip


@dataclass(frozen=True)
class Looking:
    """An action of the reading role, and how a command ends without it: with what exit code, and saying what."""

    action: str
    command: str
    code: int
    says: str
    of_writer: bool = False
    """That the writing role has it, too, for just this."""


LOOKING: tuple[Looking, ...] = (
    Looking("iam:SimulatePrincipalPolicy", "doctor", 2, "XG334", of_writer=True),
    Looking("cloudtrail:DescribeTrails", "doctor", 0, "XG313"),
    Looking("cloudtrail:GetTrailStatus", "doctor", 2, "XG313"),
    Looking("cloudtrail:GetEventSelectors", "doctor", 2, "XG313"),
    Looking("cloudtrail:LookupEvents", "audit", 1, "allow cloudtrail:LookupEvents"),
    Looking("ec2:DescribeRegions", "audit", 1, "allow ec2:DescribeRegions"),
    Looking("iam:ListPolicies", "plan", 1, "allow iam:ListPolicies", of_writer=True),
)
"""Doctor ends as it would have (2 for the trail that an account lacks), with a note of what it cannot see; the others
fail. What else the reading role has is in what the writing role has."""


def test_without_what_is_needed_to_look_doctor_says_what_it_cannot_see_and_audit_and_plan_fail(work: Work) -> None:  # noqa: F811
    work.trail()
    of_aws = {**to(), "to": {"account": "storage"}, "managed_policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}
    work.manifest({"g": of_aws})
    document = work.iam().get_role_policy(RoleName="xgrant-reader", PolicyName="read")["PolicyDocument"]
    for row in LOOKING:
        for account in (SOURCE, TARGET):
            work.iam(account).put_role_policy(
                RoleName="xgrant-reader", PolicyName="read", PolicyDocument=json.dumps(_without(document, row.action))
            )
        work.run(*row.command.split(), expect=row.code, says=row.says)
