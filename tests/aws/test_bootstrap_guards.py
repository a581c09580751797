"""Each guard in the templates of a bootstrap holds something: without it, some attempt that is refused gets through.

What is attempted with a role, and what the strict sandbox then makes of it, is asked again of documents that lack one
guard each: a denial, a condition, a resource. So a guard that nothing tries, or that holds nothing, fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reconciler.bootstrap import templates
from reconciler.bootstrap.jobs import gitlab
from reconciler.bootstrap.member import boundary
from reconciler.bootstrap.model import BucketPolicy, Document, Role
from reconciler.policy.document import listed
from reconciler.sandbox.scenario import SOURCE, TARGET
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import holders
from reconciler.sandbox.strict.authorize import Judged
from reconciler.sandbox.strict.evaluate import Asked, Context, decide, met
from reconciler.sandbox.strict.identity import policies_of
from tests.aws.bootstrap_attempts import ASSUMED, ATTEMPTS, IN_OPS, IN_SOURCE, OF_REVIEWS, OF_STORE, attacked
from tests.aws.bootstrap_support import (
    BUCKET,
    HOST,
    OPS,
    PULL_REQUEST,
    SUBJECT,
    assumed,
    client,
    jobs,
    member_session,
    options,
    role_session,
)

ORGANIZATION = "o-abcdefghij"
EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
"""What somebody attaches by mistake; a denial has to hold beside it."""

Mutant = tuple[str, Document]


def without_a_guard(document: Document) -> Iterator[Mutant]:
    """Yield the document without each of its guards, and what that guard is."""
    for number, statement in enumerate(document["Statement"]):
        for what, weaker in _weaker(statement):
            statements = [*document["Statement"]]
            statements[number : number + 1] = weaker
            yield f"{statement.get('Sid', '-')}: {what}", {**document, "Statement": statements}


def _weaker(statement: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    if statement["Effect"] == "Deny":
        yield "all of it", []
        resources = listed(statement["Resource"])
        for one in resources if len(resources) > 1 else ():
            yield one, [{**statement, "Resource": [other for other in resources if other != one]}]
        return
    for operator, block in statement.get("Condition", {}).items():
        for key in block:
            less = deepcopy(dict(statement["Condition"]))
            del less[operator][key]
            yield f"{operator} {key}", [{**statement, "Condition": less}]
    if listed(statement.get("Resource", "*")) != ["*"]:
        yield "its resources", [{**statement, "Resource": "*"}]
    for service in listed(statement.get("NotAction", [])):
        left = [other for other in listed(statement["NotAction"]) if other != service]
        yield f"NotAction {service}", [{**statement, "NotAction": left}]


def unproven(document: Document, asked: list[Asked]) -> list[str]:
    """Return the guards without which no more of what is asked is allowed, by the document alone or beside others."""
    assert asked
    return [what for what, mutant in without_a_guard(document) if not _lets_more_in(document, mutant, asked)]


def _lets_more_in(document: Document, mutant: Document, asked: list[Asked]) -> bool:
    return any(
        decide([mutant, *beside], each) is True and decide([document, *beside], each) is not True
        for beside in ((), (EVERYTHING,))
        for each in asked
    )


def _tried(call: Callable[[], object]) -> None:
    with pytest.raises(ClientError):
        call()


@pytest.fixture(scope="module")
def tried(_server: Sandbox) -> Mapping[str, tuple[Document, list[Asked]]]:
    """Try all on the sandbox, once; return the documents of each role, and what was judged of its attempts."""
    sandbox = _server
    sandbox.reset()
    attacked(sandbox)
    sandbox.enforce(on=True)
    judged: list[Judged] = []
    sandbox.strict.judged = judged.append
    for account, attempts in ((TARGET, ATTEMPTS), (SOURCE, IN_SOURCE), (OPS, IN_OPS)):
        iam = client(sandbox, member_session(sandbox, "xgrant-writer", account))
        for _, attempt in attempts:
            _tried(lambda attempt=attempt, iam=iam: attempt(iam))  # type: ignore[misc]
    for role, wanted in ASSUMED:
        keys = role_session(sandbox, role)
        _tried(lambda keys=keys, wanted=wanted: assumed(sandbox, keys, f"arn:aws:iam::{wanted}", "of-the-hub"))  # type: ignore[misc]
    for role, on_store in (("xgrant-ci-plan", [*OF_STORE, *OF_REVIEWS]), ("xgrant-ci-apply", OF_STORE)):
        s3 = client(sandbox, role_session(sandbox, role), "s3")
        for _, attempt in on_store:
            _tried(lambda attempt=attempt, s3=s3: attempt(s3))  # type: ignore[misc]
    found = {}
    for account, name in (
        (TARGET, "xgrant-writer"), (SOURCE, "xgrant-writer"), (OPS, "xgrant-writer"), (OPS, "xgrant-hub-plan"),
        (OPS, "xgrant-hub-apply"), (OPS, "xgrant-ci-plan"), (OPS, "xgrant-ci-apply"),
    ):  # fmt: skip
        role = holders(account, "Role")[name]
        (document,) = policies_of(account, role)
        found[f"{account} {name}"] = (document, [each.asked for each in judged if each.caller == role.arn])
    sandbox.reset()
    return found


def test_each_guard_of_the_writing_role_holds_something(tried: Mapping[str, tuple[Document, list[Asked]]]) -> None:
    left = [
        {guard.replace(account, "ACCOUNT") for guard in unproven(*tried[f"{account} xgrant-writer"])}
        for account in (TARGET, SOURCE, OPS)
    ]
    # The template is one for all: what holds something in one of the accounts is needed.
    assert set.intersection(*left) == set()


def test_whatever_is_attached_to_the_writing_role_it_writes_none_of_the_roles_of_the_templates(
    tried: Mapping[str, tuple[Document, list[Asked]]],
) -> None:
    document, asked = tried[f"{OPS} xgrant-writer"]
    assert len(asked) == len(IN_OPS) == 6
    assert [each.resource for each in asked if decide([document, EVERYTHING], each) is not False] == []


@pytest.mark.parametrize("role", ["xgrant-hub-plan", "xgrant-hub-apply", "xgrant-ci-plan", "xgrant-ci-apply"])
def test_each_guard_of_the_hubs_and_of_the_roles_of_jobs_holds_something(
    tried: Mapping[str, tuple[Document, list[Asked]]], role: str
) -> None:
    assert unproven(*tried[f"{OPS} {role}"]) == []


OF_SERVICES = (
    "iam:CreateUser", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "organizations:LeaveOrganization",
    "account:PutAlternateContact", "sso:CreateAccountAssignment", "sso-directory:CreateUser",
    "identitystore:CreateUser", "sts:GetFederationToken", "rolesanywhere:CreateTrustAnchor",
    "cloudformation:UpdateStack",
)  # fmt: skip
"""What no granted role may do, whatever its own policies say."""


def test_a_granted_role_writes_none_of_the_services_that_say_who_somebody_is() -> None:
    document = boundary(options())
    asked = [Asked(action, "*", {}) for action in OF_SERVICES]
    # A role below the path is one to chain into; all others are not.
    asked += [Asked("sts:AssumeRole", f"arn:aws:iam::{TARGET}:role/{name}", {}) for name in ("boss", "xgrant-writer")]
    assert [each.action for each in asked if decide([document], each) is not None] == []
    assert unproven(document, asked) == []
    for allowed in ("s3:GetObject", "iam:GetRole", "sts:GetCallerIdentity"):
        assert decide([document], Asked(allowed, "*", {})) is True


OBJECT = f"arn:aws:s3:::{BUCKET}/xgrant/history/platform/run/000001.jsonl"


def test_each_guard_of_the_bucket_holds_something() -> None:
    (template,) = templates(("store",), options())
    (document,) = (one.document for one in template.resources if isinstance(one, BucketPolicy))
    document = _in_aws(document)
    tls: Context = {"aws:securetransport": ("true",)}
    asked = [
        Asked("s3:PutObject", OBJECT, tls),
        Asked("s3:DeleteObject", OBJECT, tls),
        Asked("s3:DeleteObjectVersion", OBJECT, tls),
        Asked("s3:GetObject", OBJECT, {"aws:securetransport": ("false",)}),
        Asked("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", {"aws:securetransport": ("false",)}),
    ]
    assert [each for each in asked if decide([EVERYTHING, document], each)] == []
    assert [what for what, mutant in without_a_guard(document) if not _lets_more_in(document, mutant, asked)] == []
    once: Context = {**tls, "s3:if-none-match": ("*",)}
    assert decide([EVERYTHING, document], Asked("s3:PutObject", OBJECT, once)) is True
    assert decide([EVERYTHING, document], Asked("s3:PutObject", OBJECT.replace("history", "locks"), tls)) is True


def _in_aws(document: Document) -> Document:
    found: Any = _filled(document)
    return dict(found)


def _filled(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", OPS)
    if isinstance(value, Mapping):
        return {key: _filled(inner) for key, inner in value.items()}
    return [_filled(inner) for inner in value] if isinstance(value, list) else value


def _trusts() -> dict[str, Document]:
    """Return the trust policies of the roles, by their names; of jobs of GitLab, too."""
    people = (f"arn:aws:iam::{OPS}:user/admins/*",)
    said = options(ORGANIZATION, operators=people, operators_mfa=True)
    made = [*templates(("member", "hub", "oidc"), said)]
    found = {one.name: _in_aws(one.trust) for each in made for one in each.resources if isinstance(one, Role)}
    (oidc,) = templates(("oidc",), options(jobs=gitlab("acme/iam", "main")))
    return found | {
        f"{one.name} of GitLab": _in_aws(one.trust) for one in oidc.resources if isinstance(one, Role)
    }  # fmt: skip


def _member(hub: str) -> tuple[dict[str, str], dict[str, str]]:
    context = {
        "aws:PrincipalArn": f"arn:aws:iam::{OPS}:role/{hub}", "aws:PrincipalOrgID": ORGANIZATION,
        "sts:ExternalId": "of-the-hub",
    }  # fmt: skip
    others = {
        "aws:PrincipalArn": f"arn:aws:iam::{OPS}:role/other", "aws:PrincipalOrgID": "o-others0000", "sts:ExternalId": "",
    }  # fmt: skip
    return context, others


GITHUB = {f"{HOST}:aud": jobs().audience, f"{HOST}:sub": SUBJECT, f"{HOST}:ref": "refs/heads/main"}
GITLAB = {
    "gitlab.com:aud": "https://gitlab.com", "gitlab.com:sub": "project_path:acme/iam:ref_type:branch:ref:main",
    "gitlab.com:ref_protected": "true",
}  # fmt: skip
PERSON = {"aws:PrincipalArn": f"arn:aws:iam::{OPS}:user/admins/alice", "aws:MultiFactorAuthPresent": "true"}
TRUSTED: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("xgrant-reader", *_member("xgrant-hub-plan")),
    ("xgrant-writer", *_member("xgrant-hub-apply")),
    ("xgrant-hub-plan", PERSON, {"aws:PrincipalArn": "arn:aws:iam::1:user/eve", "aws:MultiFactorAuthPresent": ""}),
    ("xgrant-hub-apply", PERSON, {"aws:PrincipalArn": "arn:aws:iam::1:user/eve", "aws:MultiFactorAuthPresent": ""}),
    ("xgrant-ci-plan", {**GITHUB, f"{HOST}:sub": PULL_REQUEST, f"{HOST}:ref": ""},
     {f"{HOST}:aud": "https://github.com/acme", f"{HOST}:sub": "repo:evil/iam:pull_request"}),
    ("xgrant-ci-apply", GITHUB, {f"{HOST}:aud": "https://github.com/acme", f"{HOST}:ref": "refs/pull/1/merge",
                                 f"{HOST}:sub": "repo:acme/iam:environment:staging"}),
    ("xgrant-ci-apply of GitLab", GITLAB, {"gitlab.com:aud": "x", "gitlab.com:ref_protected": "false",
                                           "gitlab.com:sub": "project_path:evil/iam:ref_type:branch:ref:main"}),
]  # fmt: skip
"""Who is trusted by which role, by what the request says; and what others would say in the place of each."""


@pytest.mark.parametrize(("role", "says", "others"), TRUSTED)
def test_each_condition_of_a_trust_policy_keeps_somebody_out(
    role: str, says: dict[str, str], others: dict[str, str]
) -> None:
    conditions = [statement["Condition"] for statement in _trusts()[role]["Statement"]]
    assert _trusted(conditions, says)
    for key, other in others.items():
        assert not _trusted(conditions, {**says, key: other}), key
    if "hub" in role:
        assert _trusted(conditions, {"aws:PrincipalArn": f"arn:aws:iam::{OPS}:role/{role.replace('hub', 'ci')}"})
    keys = {key for condition in conditions for block in condition.values() for key in block}
    assert keys == {*others}, "a condition that nobody tries"


def _trusted(conditions: list[Mapping[str, Any]], says: Mapping[str, str]) -> bool:
    context = {key.lower(): (value,) for key, value in says.items() if value}
    return any(met(condition, context, unknown=False) for condition in conditions)
