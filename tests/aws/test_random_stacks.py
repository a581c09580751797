"""Whatever a stack declares: after an apply the plan is empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.conftest import Run
from tests.snapshots import once

BOUNDARY = f"arn:aws:iam::{TARGET}:policy/limits/boundary"
OWN = f"arn:aws:iam::{TARGET}:policy/own"

texts = st.text(st.sampled_from("abcXYZ .,-_äÿ£\t"), max_size=20)
actions = st.lists(st.sampled_from(["s3:GetObject", "S3:getobject", "s3:List*", "s3:**", "sqs:*"]), min_size=1)
resources = st.lists(
    st.sampled_from(["arn:aws:s3:::b/*", "arn:aws:s3:::B", "arn:aws:s3:::${aws:username}/*", "*"]), min_size=1
)
conditions = st.dictionaries(
    st.sampled_from(["StringEquals", "StringLike", "ForAnyValue:StringLike"]),
    st.dictionaries(
        st.sampled_from(["aws:PrincipalTag/Team", "aws:principalorgid", "s3:prefix"]),
        st.lists(st.sampled_from(["x", "X", "y*", "5"]), min_size=1) | st.booleans() | st.integers(0, 9),
        min_size=1,
    ),
    min_size=1,
    max_size=2,
)
permissions = st.lists(
    st.fixed_dictionaries(
        {"actions": actions, "resources": resources},
        optional={"effect": st.sampled_from(["Allow", "Deny"]), "conditions": conditions},
    ),
    min_size=1,
    max_size=3,
)
callers = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "users": st.lists(st.sampled_from(["alice", "bob"]), min_size=1, unique=True),
            "groups": st.lists(st.sampled_from(["developers", "ops"]), min_size=1, unique=True),
            "roles": st.lists(st.sampled_from(["ci/deployer", "builder"]), min_size=1, unique=True),
        },
    ).filter(bool),
    st.just({"entire_account": True}),
)
grants = st.fixed_dictionaries(
    {
        "from": callers.map(lambda who: {"account": "dev", **who}),
        "permissions": permissions,
    },
    optional={
        "description": texts,
        "managed_policies": st.just([OWN]),
        "permissions_boundary": st.just(BOUNDARY),
        "require": st.fixed_dictionaries(
            {}, optional={"external_id": st.just("an-id"), "source_ip": st.just(["203.0.113.0/24", "2001:db8::/32"])}
        ),
        "trust_conditions": conditions,
        "caller_policy": st.sampled_from(["inline", "managed"]),
        "tags": st.dictionaries(st.sampled_from(["team", "Cost/Center", "é"]), st.sampled_from(["", "x", "a b"])),
    },
)
stacks = st.dictionaries(st.sampled_from(["one", "two", "three", "four"]), grants, max_size=3)


def manifest(folder: Path, declared: dict[str, Any], path: str) -> Path:
    data = {
        "version": 1,
        "stack": "random",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}, "path": path},
        "grants": {name: {**grant, "to": {"account": "storage"}} for name, grant in declared.items()},
    }
    file = folder / "stack.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


@once
def prepare(sandbox: Sandbox) -> None:
    source, target = root_client(sandbox, "iam", SOURCE), root_client(sandbox, "iam", TARGET)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    source.create_group(GroupName="ops")
    for path, name in (("/ci/", "deployer"), ("/", "builder")):
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        source.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document)
    allow = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    target.create_policy(PolicyName="own", PolicyDocument=json.dumps(allow))
    target.create_policy(PolicyName="boundary", Path="/limits/", PolicyDocument=json.dumps(allow))


# Two tests of 25 pairs, so that they run beside each other; to shrink a failure would take minutes.
@pytest.mark.parametrize("path", ["/", "/team/"])
@settings(max_examples=15, phases=(Phase.generate,))
@given(first=stacks, second=stacks)
def test_a_random_stack_and_the_next_one_are_applied_and_leave_an_empty_plan(
    scenario: Scenario,
    sandbox: Sandbox,
    xgrant: Run,
    tmp_path: Path,
    first: dict[str, Any],
    second: dict[str, Any],
    path: str,
) -> None:
    prepare(sandbox)
    sandbox.strict.give_fewer()
    for declared, where in ((first, "/"), (second, path)):
        file = manifest(tmp_path, declared, where)
        # Nothing is read back: the plans that follow are what is asked.
        applied = xgrant("apply", file, "--auto-approve", "--no-verify", "--accept", "XG206", "--accept", "XG207")
        assert applied.code == 0, applied.out + applied.err
        # Of the second stack twice, since AWS answers in another order each time.
        for _ in range(1 if declared is first else 2):
            planned = xgrant("plan", file, "--detailed-exitcode")
            assert planned.code == 0, planned.out + planned.err
