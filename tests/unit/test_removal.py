"""Grants and principals cut out of manifest files: only they go, and git takes the patch."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from reconciler.manifest import load
from reconciler.manifest.difference import diff
from reconciler.manifest.removal import Names, NotPatchedError, without
from reconciler.model import PrincipalKind
from tests.support import HEAD, grant_yaml, manifest_yaml

USER, GROUP, ROLE = PrincipalKind.USER, PrincipalKind.GROUP, PrincipalKind.ROLE

BLOCK = (
    HEAD
    + """\
# All that we grant.

grants:
  # Who reads.
  reader:   # for a while
    from:
      account: dev
      # people
      users:
        - alice        # lead
        # the new one
        - bob
      roles: [ci/deployer,
              ci/tester,  # since May
              other]
    to: {account: storage}
    permissions:
      - actions: s3:GetObject
        resources: arn:aws:s3:::b/*
    # ends here

  # Who writes.
  # Ask before you change it.
  writer:
    description: |
      Writes.

      A lot.
    from: {account: dev, groups: [writers], users: [carol]}
    to: {account: storage}
    permissions: [{actions: s3:PutObject, resources: "arn:aws:s3:::b/*"}]

  last:
    from: {account: dev, users: [dave]}
    to: {account: storage, role: Last}
    permissions: [{actions: s3:PutObject, resources: "arn:aws:s3:::b/*"}]
"""
)


def lines_lost(before: str, after: str) -> list[str]:
    left = after.split("\n")
    lost = []
    for line in before.split("\n"):
        if left and left[0] == line:
            left.pop(0)
        else:
            lost.append(line)
    assert not left, "something was written anew"
    return lost


@pytest.mark.parametrize(
    ("removals", "first", "last", "number"),
    [
        ({"reader": ()}, "  # Who reads.", "", 18),
        ({"writer": ()}, "  # Who writes.", "", 11),
        ({"last": ()}, "  last:", '    permissions: [{actions: s3:PutObject, resources: "arn:aws:s3:::b/*"}]', 4),
        ({"reader": [(USER, "alice")]}, "        - alice        # lead", "        - alice        # lead", 1),
        ({"reader": [(USER, "bob")]}, "        # the new one", "        - bob", 2),
        ({"reader": [(USER, "bob"), (USER, "alice")]}, "      # people", "        - bob", 5),
    ],
    ids=str,
)
def test_whole_lines_go_with_the_comments_that_are_theirs_and_no_others(
    removals: dict[str, Names], first: str, last: str, number: int
) -> None:
    lost = lines_lost(BLOCK, without(BLOCK, removals))
    assert (lost[0], lost[-1], len(lost)) == (first, last, number)


@pytest.mark.parametrize(
    ("removals", "was", "now"),
    [
        ({"writer": [(USER, "carol")]}, "groups: [writers], users: [carol]}", "groups: [writers]}"),
        ({"writer": [(GROUP, "writers")]}, "groups: [writers], users", "users"),
        ({"reader": [(ROLE, "ci/deployer")]}, "[ci/deployer,\n              ci/tester", "[ci/tester"),
        ({"reader": [(ROLE, "other")]}, "ci/tester,  # since May\n              other]", "ci/tester  # since May]"),
    ],
    ids=str,
)
def test_entries_of_one_line_go_with_their_commas(removals: dict[str, Names], was: str, now: str) -> None:
    if now.endswith("May]"):  # A bracket may not follow a comment: such a place is not patched.
        with pytest.raises(NotPatchedError, match="by hand"):
            without(BLOCK, removals)
        return
    assert without(BLOCK, removals) == BLOCK.replace(was, now)


def test_several_go_at_once_and_the_last_grant_leaves_an_empty_mapping() -> None:
    after = without(BLOCK, {"reader": (), "writer": (), "last": ()})
    assert after == HEAD + "# All that we grant.\n\ngrants: {}\n"


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_cut_as_well(indent: int | None) -> None:
    grants = {name: {"from": {"account": "dev", "users": ["a", "b", "c"]}} for name in ("x", "y", "z")}
    text = json.dumps({"version": 1, "grants": grants}, indent=indent) + "\n"
    after = without(text, {"x": (), "z": [(USER, "a"), (USER, "c")]}, is_json=True)
    grants.pop("x")
    grants["z"]["from"]["users"] = ["b"]
    assert json.loads(after)["grants"] == grants
    assert without(text, {"x": (), "y": (), "z": ()}, is_json=True).count("{") == 2


@pytest.mark.parametrize(
    ("text", "removals"),
    [
        (HEAD + "grants:\n  a: &a {from: {account: dev, users: [x]}}\n  b: *a\n", {"a": ()}),
        (HEAD + "grants:\n  a: {from: {account: dev, users: &u [x, y]}}\n  b: {from: {users: *u}}\n", {"b": [(USER, "x")]}),
        (HEAD + "grants:\n  a: {from: {account: dev, users: ['${account.name}', y]}}\n", {"a": [(USER, "dev")]}),
        (HEAD + "grants:\n  ? a\n  : {from: {account: dev, users: [x, y]}}\n  ? b\n  : {}\n", {"a": ()}),
    ],
    ids=["anchor", "alias", "variable", "question mark"],
)  # fmt: skip
def test_what_cannot_be_cut_safely_is_refused(text: str, removals: dict[str, Names]) -> None:
    with pytest.raises(NotPatchedError):
        without(text, removals)


def git(folder: Path, *arguments: str, stdin: str = "") -> str:
    command = ["git", "-c", "core.autocrlf=false", *arguments]
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "shape",
    [lambda text: text, lambda text: text.rstrip("\n"), lambda text: text.replace("\n", "\r\n"),
     lambda text: "\ufeff" + text],
    ids=["as usual", "no line break at the end", "line breaks of Windows", "byte order mark"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["grants.yaml", 'strange "nåme".yaml'])
@pytest.mark.parametrize("which", ["reader", "last"])
def test_git_applies_the_patch_and_the_rest_loads(tmp_path: Path, shape: object, name: str, which: str) -> None:
    assert callable(shape)
    before = shape(BLOCK)
    file = tmp_path / "manifests" / name
    file.parent.mkdir()
    file.write_bytes(before.encode())
    git(tmp_path, "init", "-q")
    after = without(before, {which: ()})
    patch = diff(f"manifests/{name}", before, after)
    subprocess.run(["git", "apply"], cwd=tmp_path, input=patch.encode(), check=True)
    assert file.read_bytes() == after.encode()
    assert which not in {grant.name for grant in load([str(file.parent)]).grants}


def test_a_thousand_grants_of_many_are_cut_in_one_go() -> None:
    text = manifest_yaml(*(grant_yaml(f"g{i}") for i in range(400)))
    after = without(text, {f"g{i}": () for i in range(0, 400, 2)})
    assert after == manifest_yaml(*(grant_yaml(f"g{i}") for i in range(1, 400, 2)))
