"""xgrant does all its work with the roles of its own templates, calls for each of their permissions, and no others.

The templates are deployed to the strict sandbox, which judges resources, conditions and boundaries as IAM does.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.bootstrap.explain import access
from reconciler.bootstrap.options import Options
from reconciler.policy.document import listed
from reconciler.sandbox.scenario import SOURCE, TARGET, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import backend, holders
from reconciler.sandbox.strict.authorize import Judged
from reconciler.sandbox.strict.evaluate import Asked, decide
from reconciler.sandbox.strict.identity import policies_of
from reconciler.sandbox.strict.wire import Request
from tests.aws.bootstrap_support import (
    ALLOW_ALL,
    HOST,
    OPS,
    PULL_REQUEST,
    SUBJECT,
    bootstrap,
    deployed,
    environment,
    session,
    token,
    trusting,
)
from tests.aws.strict_support import policy
from tests.conftest import Run, seeded


@dataclass
class Work:
    """xgrant as jobs run it, and what AWS was asked meanwhile."""

    sandbox: Sandbox
    xgrant: Run
    folder: Path
    options: Options
    monkeypatch: pytest.MonkeyPatch
    judged: list[Judged] = field(default_factory=list)

    def run(self, *arguments: str, expect: int = 0, says: str = "") -> str:
        """Run a command as the job that may: who applies or destroys is that of the protected environment."""
        applies = arguments[0] in ("apply", "destroy", "doctor")
        role, subject = ("xgrant-ci-apply", SUBJECT) if applies else ("xgrant-ci-plan", PULL_REQUEST)
        self.sandbox.enforce(on=True)
        for name, value in environment(self.sandbox, session(self.sandbox, role, token(subject))).items():
            self.monkeypatch.setenv(name, value)
        self.sandbox.strict.judged = self.judged.append
        result = self.xgrant(*arguments)
        self.sandbox.strict.judged = lambda _: None
        self.sandbox.enforce(on=False)
        assert result.code == expect, f"{arguments}\n{result.out}\n{result.err}"
        assert says in result.out + result.err
        return result.out

    def iam(self, account: str = TARGET) -> Any:
        return root_client(self.sandbox, "iam", account)

    def trail(self) -> None:
        """Make a trail of the account that grants are to."""
        trails = root_client(self.sandbox, "cloudtrail", TARGET)
        root_client(self.sandbox, "s3", TARGET).create_bucket(Bucket="trail")
        trails.create_trail(Name="all", S3BucketName="trail", IsMultiRegionTrail=True)
        trails.start_logging(Name="all")

    def manifest(self, grants: Mapping[str, Any], **accounts: Any) -> None:
        """Write the manifest of these grants, with what `xgrant bootstrap` says of the access."""
        data = yaml.safe_load(access(self.options)) | {
            "version": 1,
            "stack": "platform",
            "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}, **accounts},
            "limits": {"delete": 1000, "delete_percent": 100},
            "grants": grants,
        }
        (self.folder / "grants.yaml").write_text(json.dumps(data), encoding="utf-8")


@pytest.fixture
def work(sandbox: Sandbox, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    _, options = deployed(sandbox)
    folder = tmp_path / "manifests"
    folder.mkdir()
    return Work(sandbox, xgrant, folder, options, monkeypatch)


def grant(*, callers: Mapping[str, list[str]] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "from": {"account": "dev", **(callers or {"groups": ["developers"]})},
        "to": {"account": "storage"},
        "permissions": [{"actions": "s3:GetObject", "resources": "arn:aws:s3:::b/*"}],
        **more,
    }


OWN = f"arn:aws:iam::{TARGET}:policy/audit"
LARGE = [{"actions": "s3:GetObject", "resources": f"arn:aws:s3:::{number:0200d}/*"} for number in range(70)]
INLINE = {
    "by-group": grant(managed_policies=[OWN], description="Developers read", tags={"team": "data", "spare": "x"}),
    "by-user": grant(callers={"users": ["alice"]}),
    "by-role": grant(callers={"roles": ["ci/deployer"]}),
    "large": grant(permissions=LARGE),
    "by-job": {
        **grant(), "from": {"oidc": {"provider": HOST, "subject": "repo:acme/site:ref:refs/heads/main"}}
    },
}  # fmt: skip
MANAGED = {
    f"managed-{kind}": grant(callers=callers, caller_policy="managed")
    for kind, callers in (
        ("g", {"groups": ["developers"]}),
        ("u", {"users": ["alice"]}),
        ("r", {"roles": ["ci/tester"]}),
    )
}


def _changed() -> dict[str, Any]:
    """Return the grants with some of everything changed."""
    grants = deepcopy(INLINE | MANAGED)
    grants["by-user"]["session"] = {"max_duration": "2h"}
    grants["by-user"]["from"]["users"] = ["alice"]
    grants["by-user"]["require"] = {"external_id": "agreed-with-alice"}
    grants["by-group"]["to"]["role"] = "renamed"
    del grants["by-role"]
    grants["managed-one-more"] = grant(callers={"groups": ["developers"]}, caller_policy="managed")
    return grants


def _drift(work: Work) -> None:
    """Change by hand what xgrant shall put right; one role goes between the two bulk reads of the next plan."""
    iam = work.iam()
    iam.create_policy(PolicyName="other", PolicyDocument=policy())
    other = f"arn:aws:iam::{TARGET}:policy/other"
    iam.put_role_policy(RoleName="by-group", PolicyName="more", PolicyDocument=ALLOW_ALL)
    iam.attach_role_policy(RoleName="by-group", PolicyArn=other)
    iam.put_role_permissions_boundary(RoleName="by-group", PermissionsBoundary=other)
    iam.tag_role(RoleName="by-group", Tags=[{"Key": "more", "Value": "x"}])
    iam.delete_role_permissions_boundary(RoleName="by-user")
    iam.update_role(RoleName="by-user", Description="by hand", MaxSessionDuration=7200)
    iam.create_instance_profile(InstanceProfileName="machine", Path="/xgrant/")
    iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="by-role")


def _goes_between_the_reads(work: Work, role: str) -> None:
    def observe(request: Request) -> None:
        read = (request.account, request.operation) == (TARGET, "GetAccountAuthorizationDetails")
        if read and role in holders(TARGET, "Role"):
            backend(TARGET).delete_role_policy(role, "xgrant-permissions")
            backend(TARGET).delete_role(role)

    work.sandbox.strict.faults.observer = observe


def _look(work: Work) -> None:
    """Let xgrant look at what it does not write: what is wrong with the set-up, which doors are open, who came in."""
    work.trail()
    assert "XG33" not in work.run("doctor", expect=2)
    work.run("verify", "by-user", "by-group")
    work.run("audit")


def _everything(work: Work) -> None:
    """Do all that xgrant does: plan, apply, drift, adopt, import, history, destroy."""
    work.manifest(INLINE | MANAGED)
    plan = str(work.folder.parent / "plan.json")
    work.run("plan", "--detailed-exitcode", "-o", plan, "--review", "abc123", expect=2)
    work.run("apply", plan, "--review", "abc123")
    work.run("plan", "--detailed-exitcode")
    _look(work)

    _drift(work)
    work.run("drift", expect=2)
    work.run("apply", "--auto-approve")
    work.run("drift")

    work.manifest(_changed())
    work.run("apply", "--auto-approve")
    work.run("plan", "--detailed-exitcode")

    by_hand = work.iam()
    by_hand.create_role(
        RoleName="old", Path="/xgrant/", AssumeRolePolicyDocument=trusting(f"arn:aws:iam::{SOURCE}:root")
    )
    by_hand.put_role_policy(RoleName="old", PolicyName="read", PolicyDocument=policy())
    work.manifest(_changed() | {"old": grant(adopt=True)})
    work.run("apply", "--auto-approve", says="1 adopted")
    work.run("plan", "--detailed-exitcode")

    by_hand.create_role(RoleName="made", AssumeRolePolicyDocument=trusting(f"arn:aws:iam::{SOURCE}:root"))
    by_hand.put_role_policy(RoleName="made", PolicyName="read", PolicyDocument=policy())
    work.run("import", "--account", "storage", says="to:")
    assert "apply" in work.run("history")
    work.manifest(_changed() | {"of-aws": grant(managed_policies=["arn:aws:iam::aws:policy/Never"])})
    for command in (["plan"], ["apply", "--auto-approve"]):
        work.run(*command, expect=3, says="XG224")

    work.manifest(_changed())
    _goes_between_the_reads(work, "by-job")
    work.run("drift", expect=2)
    work.run("destroy", "--auto-approve")
    left = {name for name, role in holders(TARGET, "Role").items() if role.path == "/xgrant/"}
    assert left == set()


def test_everything_is_done_with_the_roles_of_the_templates_and_each_of_their_permissions_is_needed(work: Work) -> None:
    _everything(work)
    assert [f"{each.caller}: {each.asked}" for each in work.judged if not each.allowed] == []
    assert [*_unneeded(work.judged)] == []


def _unneeded(judged: list[Judged]) -> Iterator[str]:
    """Yield each action of each statement without which all would have been allowed just the same.

    Taking it away is tried on what was really asked, so this shows that a call needs it. That the run fails then, or what
    it does without, is tested where each is taken away (test_bootstrap_removal.py).
    """
    asked: defaultdict[str, set[str]] = defaultdict(set)
    calls: dict[str, Asked] = {}
    for each in judged:
        key = json.dumps([each.asked.action, each.asked.resource, dict(each.asked.context)])
        asked[each.caller].add(key)
        calls[key] = each.asked
    roles = [(account, name) for account in (OPS, SOURCE, TARGET) for name in holders(account, "Role")]
    # What is needed in one account only is needed: the template is one for all.
    needed: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    granted: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for account, name in roles:
        if not name.startswith("xgrant-") or name == "xgrant-reconciler":
            continue
        role = holders(account, "Role")[name]
        (document,) = policies_of(account, role)
        for sid, action, without in _without_each(document):
            granted[name].add((sid, action))
            if any(decide([without], calls[key]) is not True for key in asked[role.arn]):
                needed[name].add((sid, action))
    for name, actions in granted.items():
        yield from (f"{name}: {sid}: {action}" for sid, action in sorted(actions - needed[name]))


def _without_each(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield each action that is allowed, with its statement's name, and the document without it."""
    for number, statement in enumerate(document["Statement"]):
        if statement["Effect"] == "Allow":
            for action in listed(statement["Action"]):
                without = deepcopy(dict(document))
                left = [other for other in listed(statement["Action"]) if other != action]
                without["Statement"][number] |= {"Action": left}
                yield statement["Sid"], action, without


def test_jobs_list_the_accounts_of_the_organization_where_the_templates_let_them(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded(sandbox)
    options = bootstrap(sandbox, lists=True)
    (tmp_path / "manifests").mkdir()
    work = Work(sandbox, xgrant, tmp_path / "manifests", options, monkeypatch)
    work.manifest({"one": grant()}, organization={"id": options.organization, "exclude": [OPS]})
    work.run("plan", says="the organization has 1 account")
    role = work.iam(OPS).get_role_policy(RoleName="xgrant-ci-plan", PolicyName="plan")["PolicyDocument"]
    for _, action, without in _without_each(role):
        if action.startswith("organizations:"):
            work.iam(OPS).put_role_policy(
                RoleName="xgrant-ci-plan", PolicyName="plan", PolicyDocument=json.dumps(without)
            )
            code = 0 if action.endswith("ListTagsForResource") else 1
            work.run("plan", expect=code, says="" if code == 0 else f"not authorized to perform: {action}")
