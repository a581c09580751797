"""What an importer says of trust policies that AWS would hardly hold: a reason, never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.importer import draft
from reconciler.manifest.dump import dump
from reconciler.manifest.source import parse_yaml
from reconciler.model import Live, Role
from reconciler.policy.document import PolicyDocument
from tests.support import DEV, STORAGE, allow, document, facts_for, load_text, manifest_yaml, role_at

ALICE = f"arn:aws:iam::{DEV}:user/alice"


def trusted(principal: Any = ALICE, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize(
    ("trust", "reason"),
    [
        ("no JSON", "its trust policy cannot be read"),
        (trusted(Condition={"Bool": "x"}), "its trust policy cannot be read"),
        (trusted([ALICE, "AIDAABCDEFGHIJKLMNOPQ"]), "names a user or role that was deleted"),
        (trusted([ALICE, f"arn:aws:iam::{STORAGE}:user/us"]), "principals of several accounts"),
        (trusted(f"arn:aws:sts::{DEV}:assumed-role/r/s"), "a session or a federated user"),
        (trusted(Effect="Deny"), "or denies"),
        (trusted(NotPrincipal={"AWS": ALICE}, Principal="*"), "trusts everybody"),
    ],
)
def test_a_role_is_left_with_a_reason(tmp_path: Path, trust: Any, reason: str) -> None:
    manifest = load_text(tmp_path, manifest_yaml())
    address = role_at("storage", "Theirs")
    role = Role(
        "",
        f"arn:aws:iam::{STORAGE}:role/Theirs",
        "/",
        PolicyDocument.read(trust),
        inline_policies={"p": document(allow())},
    )
    live = Live({address: role}, facts_for(manifest))
    found = draft(live, manifest, "storage", roles=["Theirs"], left={})
    assert found.imported == ()
    assert reason in found.left["Theirs"]


@pytest.mark.parametrize("whom", [{"Principal": "*"}, {"NotPrincipal": {"AWS": ALICE}}])
def test_a_role_that_trusts_everybody_is_not_left_in_silence(tmp_path: Path, whom: dict[str, Any]) -> None:
    trust = document({"Effect": "Allow", "Action": "sts:AssumeRole", **whom})
    role = Role("", f"arn:aws:iam::{STORAGE}:role/Theirs", "/", trust)
    manifest = load_text(tmp_path, manifest_yaml())
    live = Live({role_at("storage", "Theirs"): role}, facts_for(manifest))
    assert "trusts everybody" in draft(live, manifest, "storage", roles=[], left={}).left["Theirs"]


def test_what_is_written_is_read_as_it_was_whatever_the_text() -> None:
    texts = [
        "0o17",
        "1e3",
        "- x",
        "\u202e<b>@team",
        "",
        "=",
        "~",
        "a: b # c\n\n x ",
        "N",
        "0x1F",
        "12:30",
        "k" * 128,
        "\t",
    ]
    grants = {"g": {f"key-{text}": text for text in texts}}
    text = dump({}, grants, notes={"g": ["a note"]})
    assert text.isascii()
    assert parse_yaml(text, "imported.yaml").data == {"version": 1, "grants": grants}
