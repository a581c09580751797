"""Names, paths, ARNs, tags and descriptions are those that IAM takes."""

from __future__ import annotations

import re

import pytest

from reconciler.policy.arn import (
    action_error,
    date_error,
    description_error,
    managed_policy_error,
    name_error,
    path_error,
    resource_error,
    split_path,
    tag_text_error,
)


@pytest.mark.parametrize(
    ("kind", "name", "fine"),
    [
        ("role", "Reader_+=,.@-1", True),
        ("role", "x" * 64, True),
        ("role", "x" * 65, False),
        ("group", "x" * 128, True),
        ("group", "x" * 129, False),
        ("user", "", False),
        ("user", "a b", False),
        ("user", "ä", False),
        ("user", "a\n", False),
        ("role", "a/b", False),
        ("role", "a*", False),
    ],
)
def test_names_of_principals(kind: str, name: str, fine: bool) -> None:
    assert (name_error(kind, name) is None) is fine


@pytest.mark.parametrize(
    ("path", "fine"),
    [("/", True), ("/a/", True), ("/a/b.c/", True), ("a/", False), ("/a", False), ("//", False), ("/a b/", False),
     ("/" + "x" * 511 + "/", False), ("/ä/", False), ("", False)],
)  # fmt: skip
def test_paths(path: str, fine: bool) -> None:
    assert (path_error(path) is None) is fine


@pytest.mark.parametrize(
    ("action", "fine"),
    [("s3:GetObject", True), ("*", True), ("s3:*", True), ("s3:Get?bject*", True), ("execute-api:Invoke", True),
     ("s3", False), ("s3:", False), ("s3:Get Object", False), ("s3:Get:Object", False), ("", False), (":x", False)],
)  # fmt: skip
def test_actions(action: str, fine: bool) -> None:
    assert (action_error(action) is None) is fine


@pytest.mark.parametrize(
    ("resource", "fine"),
    [("*", True), ("arn:aws:s3:::b/*", True), ("arn:aws-cn:s3:::b", True), ("arn:*:s3:::b", True),
     ("arn:aws:iam::123456789012:role/a/${aws:username}", True), ("b", False), ("arn:aws:s3::b", False),
     ("arn:gcp:s3:::b", False), ("arn:aws:s3:::", False), ("arn:aws:s3:::" + "x" * 2048, False)],
)  # fmt: skip
def test_resources(resource: str, fine: bool) -> None:
    assert (resource_error(resource) is None) is fine


@pytest.mark.parametrize(
    ("arn", "fine"),
    [
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", True),
        ("arn:aws:iam::aws:policy/service-role/X", True),
        ("arn:aws:iam::987654321098:policy/team/own", True),
        ("arn:aws:iam::123456789012:policy/other-account", False),
        ("arn:aws-cn:iam::aws:policy/ReadOnlyAccess", False),
        ("arn:aws:iam::aws:role/ReadOnlyAccess", False),
        ("ReadOnlyAccess", False),
    ],
)
def test_managed_policies_of_a_role(arn: str, fine: bool) -> None:
    assert (managed_policy_error(arn, partition="aws", account_id="987654321098") is None) is fine


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [("deployer", "/", "deployer"), ("ci/deployer", "/ci/", "deployer"), ("/a/b/c", "/a/b/", "c")],
)
def test_a_path_may_stand_before_a_name(text: str, path: str, name: str) -> None:
    assert split_path(text) == (path, name)


@pytest.mark.parametrize(
    ("text", "fine"),
    [("Größe 1 _.:/=+-@", True), ("", True), ("日本", True), ("a,b", False), ("a\tb", False), ("a;", False)],
)
def test_text_of_tags(text: str, fine: bool) -> None:
    assert (tag_text_error(text) is None) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [("plain, ü and\ttabs\n", True), ("em — dash", False), ("a\u00a0b", False), ("x" * 1000, True), ("x" * 1001, False),
     ("\x7f", False), ("😀", False)],
)  # fmt: skip
def test_descriptions(text: str, fine: bool) -> None:
    assert (description_error(text) is None) is fine


@pytest.mark.parametrize(
    "resource",
    [
        "*", "arn:aws:s3:::b/*", "arn:*:s3:::b", "arn:aws-eusc:iam::123456789012:role/*", "arn:aws:sqs:eu-west-1:1:q",
        "arn:aws:s3:eu-west-1:123456789012:accesspoint/a/object/*", "arn:aws:s3:eu-west-1:123456789012:job/1",
        "arn:aws:s3:*:*:*", "arn:aws:s3:${aws:RequestedRegion}:1:${aws:username}", "arn:aws:*:eu-west-1:1:b",
    ],
)  # fmt: skip
def test_a_resource_that_aws_may_know_is_taken(resource: str) -> None:
    assert resource_error(resource) is None


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("b", "a resource is an ARN"),
        ("arn:aws:s3", "a resource is an ARN"),
        ("arn:aws:s3:::", "a resource is an ARN"),
        ("arn:aws-foo:s3:::b", "no partition aws-foo"),
        ("arn:aws:s3:us-east-1:123456789012:b", "a bucket has no region"),
        ("arn:aws:iam:us-east-1:123456789012:user/x", "leave us-east-1 out"),
        ("arn:aws:iam:*:123456789012:user/x", r"leave \* out"),
        ("arn:aws:s3:::" + "b" * 2036, "at most 2048"),
    ],
)
def test_a_resource_that_aws_refuses_is_refused(resource: str, words: str) -> None:
    assert re.search(words, resource_error(resource) or "")


@pytest.mark.parametrize(
    ("operator", "value", "good"),
    [
        ("DateLessThan", "2026-12-31T23:59:59Z", True),
        ("DateLessThanIfExists", "2026-12-31t23:59:59.5+01:00", True),
        ("DateEquals", "2026", True),
        ("DateEquals", "2026-12", True),
        ("DateEquals", "1798761599", True),
        ("DateLessThan", "yesterday", False),
        ("DateLessThan", "", False),
        ("DateLessThan", "${aws:CurrentTime}", False),
        ("ForAnyValue:DateLessThan", "31.12.2026", False),
        ("StringEquals", "yesterday", True),
    ],
)
def test_only_dates_are_compared_as_dates(operator: str, value: str, good: bool) -> None:
    assert (date_error(operator, value) is None) is good
