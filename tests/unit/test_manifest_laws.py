"""Whatever a manifest holds, it is loaded or refused with places; nothing else comes out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ManifestError, Problem
from reconciler.manifest import load
from tests.support import desired_of

FULL = """\
version: 1
stack: platform
accounts:
  dev: {id: "123456789012", managed: true, partition: aws, profile: p}
  storage: {id: "987654321098", assume_role: {name: a/b, external_id: abc}}
  vendor: {id: "555555555555", managed: false}
defaults:
  access: {assume_role: {name: r}}
  path: /x/
  permissions_boundary: arn:aws:iam::987654321098:policy/b
  require: {mfa: true, source_ip: [10.0.0.0/8]}
  session: {max_duration: 1h}
  tags: {team: platform}
grants:
  one:
    description: Reads
    from: {account: dev, users: [alice], groups: [g], roles: [ci/r]}
    to: {account: storage, role: Reader, path: /}
    permissions:
      - {sid: A, effect: Allow, actions: ["s3:GetObject"], resources: "*", conditions: {StringLike: {"a:b": [c]}}}
    managed_policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]
    permissions_boundary: null
    require: {mfa: false, external_id: abc, source_org: o-abcdefghij}
    trust_conditions: {StringEquals: {"aws:PrincipalTag/t": x}, Bool: {"a:c": true}}
    session: {max_duration: 2h}
    tags: {a: b}
  two:
    from: {account: vendor, entire_account: true}
    to: {account: storage}
    policy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "a:B", Resource: "*"}]}
  three:
    from: {account: dev, users: [bob]}
    to: {account: vendor}
  four:
    from: {account: [dev, vendor], permission_sets: [Ops, "Data_${source.name}"], groups: [g]}
    to: {account: storage}
    managed_policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]
    require: {mfa: false}
  five:
    from: {oidc: {provider: gitlab.com, audience: [x], subject: ["project_path:a/${target.name}:*"]}}
    to: {account: storage}
    managed_policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]
    require: {mfa: false}
"""

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["dev", "storage", "one", "arn:aws:iam::aws:policy/X", "*", "/", "1h", "x\n", "\0", "a" * 300]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def nodes(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += nodes(value, (*path, key))
    return found


ORIGINAL: dict[str, Any] = yaml.safe_load(FULL)
PLACES = nodes(ORIGINAL)


@st.composite
def mutated(draw: Any) -> Any:
    data = copy.deepcopy(ORIGINAL)
    for path in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=4)):
        parent = data
        try:
            for key in path[:-1]:
                parent = parent[key]
            match draw(st.sampled_from(["replace", "remove", "add"])):
                case "replace":
                    parent[path[-1]] = draw(values)
                case "remove":
                    del parent[path[-1]]
                case _ if isinstance(parent, dict):
                    parent[draw(st.text(max_size=5))] = draw(values)
        except (KeyError, IndexError, TypeError):
            continue
    return data


def test_the_manifest_is_valid_before_it_is_mutated(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(FULL)
    assert len(load([str(tmp_path)]).grants) == 5


@given(mutated())
def test_a_mutated_manifest_is_loaded_or_refused_with_places(tmp_path: Path, data: Any) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    problems: tuple[Problem, ...] = ()
    try:
        manifest = load([str(file)])
        assert len(desired_of(manifest)) >= len(manifest.grants)
    except ManifestError as error:
        problems = error.problems
    lines = file.read_bytes().count(b"\n") + 1
    assert all(1 <= problem.place.line <= lines for problem in problems)


@given(st.binary(max_size=200))
@pytest.mark.parametrize("name", ["m.yaml", "p.json"])
def test_any_bytes_are_loaded_or_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    manifest = tmp_path / "m.yaml"
    if name == "p.json":
        manifest.write_text(
            FULL.replace(
                '{Version: "2012-10-17", Statement: [{Effect: Allow, Action: "a:B", Resource: "*"}]}', "{file: p.json}"
            )
        )
    with pytest.raises(ManifestError) as caught:
        load([str(manifest)])
    assert caught.value.problems
