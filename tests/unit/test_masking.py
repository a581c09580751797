"""What is secret, or looks it, is hidden in a text; the rest stays readable."""

from __future__ import annotations

import pytest

from reconciler.masking import masked


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("xgrant apply manifests --auto-approve", {"agreed"}, "xgrant apply manifests --auto-approve"),
        ("the id agreed-upon is wrong", {"agreed-upon"}, "the id (hidden) is wrong"),
        ("xagreed-uponx", {"agreed-upon"}, "x(hidden)x"),
        ("ab (ab) abc cab", {"ab"}, "(hidden) ((hidden)) abc cab"),
        ("one two", {"one two", "one"}, "(hidden)"),
        ("a.b", {"a?b", ""}, "a.b"),
        ("key AKIAIOSFODNN7EXAMPLE here", set(), "key (hidden) here"),
        ("ASIAIOSFODNN7EXAMPLE", set(), "(hidden)"),
        ("--external-id abc --only x", set(), "--external-id (hidden) --only x"),
        ("AWS_SECRET_ACCESS_KEY=wJalr/XUtn, then", set(), "AWS_SECRET_ACCESS_KEY=(hidden), then"),
        ("the security token included in it has expired", set(), "the security token included in it has expired"),
        ('{"SessionToken": "abc"}', set(), '{"SessionToken": "(hidden)"}'),
    ],
)
def test_secrets_are_hidden(text: str, secrets: set[str], shown: str) -> None:
    assert masked(text, secrets) == shown
