"""Each thing wrong with a manifest is a message with file, line, column, code and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.errors import ManifestError
from reconciler.manifest import load
from tests.support import DEV, HEAD, STORAGE, grant_yaml, load_text, manifest_yaml

PERMISSION = 'actions: "s3:GetObject", resources: "*"'
STATEMENT = '{Effect: Allow, Action: "s3:GetObject", Resource: "*"}'
GRANT_LINE = HEAD.count("\n") + 2
"""The line of the first grant's name."""


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load_text(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("parts", "place", "code", "words"),
    [
        pytest.param({"form": "{account: dev}", "from": ""}, "+3:5", "XG010", "did you mean from", id="unknown key, near miss"),
        pytest.param({"nonsense": "1"}, "+4:5", "XG010", "known here: adopt, caller_policy, description", id="unknown key"),
        pytest.param({"moved": "[{from: reader}]"}, "+4:20", "XG042", "own name", id="moved from its own name"),
        pytest.param({"moved": "[{from: a}, {from: a}]"}, "+4:31", "XG042", "one successor", id="moved twice from a name"),
        pytest.param({"moved": "[{from: Old}]"}, "+4:20", "XG013", "1 to 64 of a-z", id="moved from what is no name"),
        pytest.param({"moved": "old"}, "+4:12", "XG012", "[{from: old-name}]", id="moved is no list"),
        pytest.param({"adopt": "yes"}, "+4:12", "XG012", "true or false", id="adopt in a word"),
        pytest.param({"caller_policy": "both"}, "+4:20", "XG013", "managed or none", id="unknown caller policy"),
        pytest.param({"inline_policies": f"{{p: {{Version: '2012-10-17', Statement: {STATEMENT}}}}}"}, "+0:3", "XG013", "in place of permissions", id="permissions and inline policies"),
        pytest.param(
            {"permissions": "", "inline_policies": "{xgrant.platform.x: {Version: \"2012-10-17\", Statement: [{Effect: Allow, Action: s3:*, Resource: \"*\"}]}}"},
            "+3:23", "XG029", "another name", id="inline policy with the name of a caller policy",
        ),
        pytest.param({"from": ""}, "+0:3", "XG011", "'from' is missing in grants.reader", id="missing key"),
        pytest.param({"description": "[x]"}, "+4:18", "XG012", "has to be a text; this is a list", id="wrong type"),
        pytest.param({"tags": "{cost-center: 42}"}, "+4:25", "XG012", "put it in quotes; this is 42", id="number as tag"),
        pytest.param({"session": "{max_duration: 4}"}, "+4:29", "XG012", "1h, 90m or 1h30m", id="duration as number"),
        pytest.param({"session": "{max_duration: 4 hours}"}, "+4:29", "XG013", "1h, 90m or 1h30m", id="duration in words"),
        pytest.param({"session": "{max_duration: 30m}"}, "+4:29", "XG037", "from 1h to 12h", id="short session"),
        pytest.param({"session": "{max_duration: 12h1m}"}, "+4:29", "XG037", "from 1h to 12h", id="long session"),
        pytest.param({"to": "{account: storge}"}, "+2:19", "XG024", "declared: dev, storage, vendor", id="unknown account"),
        pytest.param({"to": "{account: dev}"}, "+2:19", "XG025", "one account, dev", id="source is target"),
        pytest.param(
            {"permissions": '[{actions: "s3 GetObject", resources: "*"}]'},
            "+3:29", "XG027", "like s3:GetObject", id="bad action",
        ),
        pytest.param(
            {"permissions": '[{actions: ["s3:A", "s3"], resources: "*"}]'},
            "+3:38", "XG027", "this is 's3'", id="bad action in a list",
        ),
        pytest.param(
            {"permissions": '[{actions: "s3:A", resources: "bucket"}]'},
            "+3:48", "XG028", "an ARN", id="bad resource",
        ),
        pytest.param({"permissions": f'[{{{PERMISSION}, not_actions: "a:B"}}]'}, "+3:19", "XG013", "not both", id="both"),
        pytest.param({"permissions": '[{actions: "a:B"}]'}, "+3:19", "XG013", "resources or not_resources", id="neither"),
        pytest.param({"permissions": "[]"}, "+3:18", "XG013", "at least one statement", id="no statements"),
        pytest.param({"permissions": ""}, "+0:3", "XG033", "permits nothing", id="no permissions"),
        pytest.param({"policy": f"{{Version: '2012-10-17', Statement: {STATEMENT}}}"}, "+0:3", "XG013", "leave one out", id="two kinds"),
        pytest.param(
            {"permissions": f"[{{{PERMISSION}, sid: A}}, {{{PERMISSION}, sid: A}}]"},
            "+3:117", "XG033", "Sid A stands twice", id="Sid twice",
        ),
        pytest.param({"permissions": f"[{{{PERMISSION}, sid: a-b}}]"}, "+3:66", "XG013", "letters and digits", id="bad Sid"),
        pytest.param({"permissions": f"[{{{PERMISSION}, effect: allow}}]"}, "+3:69", "XG013", "Allow or Deny", id="effect"),
        pytest.param(
            {"permissions": f"[{{{PERMISSION}, conditions: {{StringEqual: {{a:b: c}}}}}}]"},
            "+3:74", "XG013", "no condition operator", id="unknown operator",
        ),
        pytest.param({"managed_policies": "[ReadOnlyAccess]"}, "+4:24", "XG028", "arn:aws:iam::aws:policy", id="bad ARN"),
        pytest.param(
            {"permissions_boundary": f"arn:aws:iam::{DEV}:policy/b"}, "+4:27", "XG028", "of its own account", id="boundary",
        ),
        pytest.param({"to": "{account: storage, role: Größe}"}, "+2:34", "XG029", "only letters", id="role alphabet"),
        pytest.param({"to": f"{{account: storage, role: {'x' * 65}}}"}, "+2:34", "XG029", "at most 64", id="role length"),
        pytest.param({"to": "{account: storage, path: team}"}, "+2:34", "XG029", "starts and ends with /", id="path"),
        pytest.param({"from": "{account: dev, users: [a b]}"}, "+1:34", "XG029", "only letters", id="user alphabet"),
        pytest.param({"from": "{account: dev, users: [a, A]}"}, "+1:37", "XG029", "named twice", id="user twice"),
        pytest.param({"from": "{account: dev, users: [123]}"}, "+1:34", "XG012", "put it in quotes", id="number as user"),
        pytest.param({"from": "{account: dev, users: alice}"}, "+1:33", "XG012", "like [developers]", id="no list"),
        pytest.param({"from": "{account: dev}"}, "+1:5", "XG033", "nobody is named", id="nobody"),
        pytest.param({"from": "{account: dev, entire_account: false}"}, "+1:5", "XG033", "nobody is named", id="nobody said"),
        pytest.param(
            {"from": "{account: dev, users: [a], entire_account: true}"}, "+1:54", "XG033", "not both", id="some and all",
        ),
        pytest.param({"description": "em — dash"}, "+4:18", "XG031", "U+2014", id="description outside Latin-1"),
        pytest.param({"tags": '{Team: a, team: b}'}, "+4:21", "XG030", "differ only in case", id="tag case"),
        pytest.param({"tags": '{"aws:x": a}'}, "+4:12", "XG030", "AWS's own", id="tag of AWS"),
        pytest.param({"tags": '{"xgrant:stack": a}'}, "+4:12", "XG030", "xgrant's own", id="tag of xgrant"),
        pytest.param({"tags": '{a: "b;c"}'}, "+4:12", "XG030", "U+003B", id="tag alphabet"),
        pytest.param({"tags": f'{{a: "{"x" * 257}"}}'}, "+4:12", "XG030", "at most 256", id="tag length"),
        pytest.param({"tags": "{" + ", ".join(f"k{i}: v" for i in range(49)) + "}"}, "+4:5", "XG030", "has 49", id="49 tags"),
        pytest.param({"require": "{external_id: [ab, cd, ef]}"}, "+4:28", "XG013", "at most two", id="three external ids"),
        pytest.param({"require": "{external_id: [ab, ab]}"}, "+4:28", "XG013", "stands once", id="an external id twice"),
        pytest.param({"require": "{external_id: [ab, c]}"}, "+4:33", "XG013", "2 to 1,224", id="a wrong one of two external ids"),
        pytest.param({"require": "{external_id: x}"}, "+4:28", "XG013", "2 to 1,224", id="external id"),
        pytest.param({"require": "{source_org: abc}"}, "+4:27", "XG013", "organization", id="organization"),
        pytest.param({"require": "{source_ip: [10.0.0.0/33]}"}, "+4:27", "XG034", "203.0.113.0/24", id="network"),
        pytest.param(
            {"require": "{mfa: true}", "trust_conditions": '{Bool: {"aws:multifactorauthpresent": "false"}}'},
            "+5:31", "XG034", "state it once", id="condition twice",
        ),
        pytest.param({"policy": "{file: ../x.json}", "permissions": ""}, "+3:20", "XG032", "outside", id="file outside"),
        pytest.param({"policy": "{file: /etc/x.json}", "permissions": ""}, "+3:20", "XG032", "outside", id="file absolute"),
        pytest.param({"policy": "{file: x.json}", "permissions": ""}, "+3:20", "XG032", "there is no file", id="no file"),
        pytest.param({"policy": '{file: "a\\0.json"}', "permissions": ""}, "+3:20", "XG032", "name of a file", id="NUL"),
        pytest.param({"policy": f"{{file: {'x' * 300}.json}}", "permissions": ""}, "+3:20", "XG032", "file", id="long name"),
        pytest.param({"policy": "x.json", "permissions": ""}, "+3:13", "XG012", "{file: NAME.json}", id="policy as text"),
        pytest.param({"require": "{mfa: yes}"}, "+4:20", "XG012", "has to be true or false; yes is a text", id="yes"),
        pytest.param({"require": "{source_ip: [10.0.0.0/255.0.0.0]}"}, "+4:27", "XG034", "netmask", id="netmask"),
        pytest.param(
            {"trust_conditions": '{StringEquals: {"sts:ExternalId": a, "STS:externalid": b}}'},
            "+4:60", "XG034", "stands twice", id="condition key twice",
        ),
        pytest.param(
            {"from": f'{{account: dev, users: ["arn:aws:iam::{DEV}:user/ci/alice"]}}'}, "+1:34", "XG029",
            "not the ARN: ci/alice", id="ARN as user",
        ),
        pytest.param({"policy": "{file: x.yaml}", "permissions": ""}, "+3:20", "XG032", "is JSON", id="file not JSON"),
    ],
)  # fmt: skip
def test_a_problem_in_a_grant(tmp_path: Path, parts: dict[str, str], place: str, code: str, words: str) -> None:
    found = problems_of(tmp_path, manifest_yaml(grant_yaml(**parts)))
    line, column = place.removeprefix("+").split(":")
    assert len(found) == 1, found
    assert found[0].startswith(f"grants.yaml:{GRANT_LINE + int(line)}:{column}: {code} "), found[0]
    assert words in found[0]


@pytest.mark.parametrize(
    ("text", "start", "words"),
    [
        pytest.param("", "grants.yaml:1:1: XG002", "empty", id="empty file"),
        pytest.param("- a\n", "grants.yaml:1:1: XG012", "mapping of keys to values", id="no mapping"),
        pytest.param("version: 2\nstack: a\n", "grants.yaml:1:10: XG013", "is 1; this is 2", id="other version"),
        pytest.param("stack: a\n", "grants.yaml:1:1: XG011", "'version' is missing", id="no version"),
        pytest.param("version: 1\n", "grants.yaml:1:1: XG020", "no file states the stack", id="no stack"),
        pytest.param("version: 1\nstack: A_b\n", "grants.yaml:2:8: XG013", "a-z, 0-9 and -", id="stack alphabet"),
        pytest.param("version: 1\nstack: " + "x" * 33, "grants.yaml:2:8: XG013", "1 to 32", id="stack length"),
        pytest.param("version: 1\nstack: a\nstack: b\n", "grants.yaml:3:1: XG003", "first in line 2", id="duplicate key"),
        pytest.param("version: 1\nstack:\n\ta\n", "grants.yaml:3:1: XG002", "tabs", id="tab"),
        pytest.param("version: [1\n", "grants.yaml:2:1: XG002", "not YAML", id="no YAML"),
        pytest.param("version: 1\n---\nversion: 1\n", "grants.yaml:3:1: XG002", "one document", id="two documents"),
        pytest.param("version: 1\nstack: !!python/object:os.x {}\n", "grants.yaml", "XG0", id="a tag with code"),
        pytest.param("version: 1\nx: &a {y: *a}\n", "grants.yaml:2:4: XG004", "contains itself", id="endless alias"),
        pytest.param("a: &a {b: c}\n<<: *a\n", "grants.yaml:2:1: XG002", "use `defaults`", id="merge key"),
        pytest.param("? [a]\n: b\n", "grants.yaml:1:3: XG002", "plain string", id="key that is a list"),
        pytest.param("version: 1\nstack: !!int x\n", "grants.yaml:2:8: XG005", "put quotes", id="no such int"),
        pytest.param("version: \x00\n", "grants.yaml:1:1: XG002", "not YAML", id="unprintable"),
        pytest.param("[" * 200_000 + "]" * 200_000, "grants.yaml:1:", "more than 50 deep", id="nested too deep"),
        pytest.param(
            "version: 1\nstack: a\naccounts: {dev: {id: 123456789012}}\n", "grants.yaml:3:22: XG012", "put quotes", id="id",
        ),
        pytest.param(
            "version: 1\nstack: a\naccounts: {dev: {id: 012345678901}}\n", "grants.yaml:3:22: XG005", "put quotes", id="octal",
        ),
        pytest.param(
            'version: 1\nstack: a\naccounts: {dev: {id: "12345"}}\n', "grants.yaml:3:22: XG013", "12 digits", id="short id",
        ),
        pytest.param(
            f'version: 1\nstack: a\naccounts: {{a: {{id: "{DEV}"}}, b: {{id: "{DEV}"}}}}\n',
            "grants.yaml:3:45: XG021", "the account a already", id="one id twice",
        ),
        pytest.param(
            f'version: 1\nstack: a\naccounts: {{a/b: {{id: "{DEV}"}}}}\n', "grants.yaml:3:12: XG013", "a/b", id="account name",
        ),
        pytest.param(
            f'version: 1\nstack: a\naccounts: {{a: {{id: "{DEV}", profile: p, assume_role: {{name: r}}}}}}\n',
            "grants.yaml:3:12: XG013", "not by both", id="profile and role",
        ),
        pytest.param(
            f'version: 1\nstack: a\naccounts: {{a: {{id: "{DEV}", assume_role: {{name: "r r"}}}}}}\n',
            "grants.yaml:3:56: XG029", "only letters", id="access role name",
        ),
        pytest.param(
            "version: 1\nstack: a\ndefaults: {acess: {}}\n", "grants.yaml:3:12: XG010", "did you mean access", id="defaults",
        ),
        pytest.param("version: 1\nstack: a\ngrants:\n", "grants.yaml:3:8: XG012", "grants: {}", id="grants left empty"),
        pytest.param("version: 1\nstack: a\ngrants: {A: {}}\n", "grants.yaml:3:10: XG013", 'this is "A"', id="grant name"),
    ],
)  # fmt: skip
def test_a_problem_in_a_file(tmp_path: Path, text: str, start: str, words: str) -> None:
    found = problems_of(tmp_path, text)
    assert any(problem.startswith(start) and words in problem for problem in found), found


def test_all_problems_of_all_files_come_in_one_run_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        manifest_yaml(
            grant_yaml("one", tags="{a: 1}"),
            grant_yaml("two", to="{account: nowhere}", description='"—"'),
        ),
        encoding="utf-8",
    )
    (tmp_path / "b.yaml").write_text("version: 1\nstack: other\nx: 1\n", encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)])
    places = [(Path(p.place.file).name, p.code) for p in caught.value.problems]
    assert places == [
        ("a.yaml", "XG020"), ("a.yaml", "XG012"), ("a.yaml", "XG024"), ("a.yaml", "XG031"),
        ("b.yaml", "XG020"), ("b.yaml", "XG010"),
    ]  # fmt: skip


def test_what_the_schema_refuses_in_a_grant_does_not_hide_what_else_is_wrong_with_it(tmp_path: Path) -> None:
    text = manifest_yaml(
        grant_yaml(
            **{"from": "{account: dvv, users: alice}", "to": "{account: storage, path: foo, roel: x}"},
            permissions='[{actions: "s3", resources: "*"}, {actions: "s3:A"}]',
            managed_policies="[ReadOnlyAccess]",
            session="{max_duration: 13h}",
            tags='{"aws:x": a}',
            nonsense="1",
        )
    )
    codes = [re.search(r"XG\d+", problem)[0] for problem in problems_of(tmp_path, text)]  # type: ignore[index]
    assert codes == ["XG024", "XG012", "XG029", "XG010", "XG013", "XG028", "XG037", "XG030", "XG010"]


BAD_STATEMENT = '{Effect: Allow, Action: "s3", Resource: "bucket"}'


@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        (
            {
                "permissions": "",
                "inline_policies": f"{{a: {{Statement: {STATEMENT}}}, b: {{Version: '2012-10-17', Statement: {BAD_STATEMENT}}}, "
                f"AWSRevokeOlderSessions: {{Version: '2012-10-17', Statement: {STATEMENT}}}, c: {{file: c.json}}}}",
            },
            ["XG011", "XG027", "XG028", "XG029", "XG032"],
        ),
        ({"permissions": "", "inline_policies": f"{{a: {{Statement: {STATEMENT}}}}}"}, ["XG011"]),
        ({"permissions": "", "inline_policies": "[]"}, ["XG012"]),
        (
            {
                "permissions": "",
                "policy": f"{{Version: '2012-10-17', Statement: {BAD_STATEMENT}}}",
                "inline_policies": "{c: {file: c.json}}",
            },
            ["XG013", "XG027", "XG028", "XG032"],
        ),
        (
            {"policy": "{file: p.json}", "permissions": '[{actions: "s3", resources: "*"}]', "tags": '{"aws:x": a}'},
            ["XG013", "XG027", "XG032", "XG030"],
        ),
        ({"from": "", "tags": '{"aws:x": a}', "session": "{max_duration: 13h}"}, ["XG011", "XG030", "XG037"]),
    ],
    ids=["one inline policy", "the only one", "no mapping", "policy and inline", "policy and permissions", "no from"],
)  # fmt: skip
def test_what_is_wrong_with_one_part_of_a_grant_hides_nothing_of_the_others(
    tmp_path: Path, parts: dict[str, str], codes: list[str]
) -> None:
    found = problems_of(tmp_path, manifest_yaml(grant_yaml(**parts)))
    assert sorted(re.search(r"XG\d+", problem)[0] for problem in found) == sorted(codes)  # type: ignore[index]


def test_a_problem_of_what_is_inherited_stands_once_and_knows_each_grant_it_is_of(tmp_path: Path) -> None:
    by_role = {"from": "{account: dev, roles: [a]}"}
    text = manifest_yaml(
        grant_yaml("one", **by_role), grant_yaml("two", **by_role), grant_yaml("three"),
        head=HEAD + "defaults: {require: {mfa: true}}\n",
    )  # fmt: skip
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.line) == ("XG040", HEAD.count("\n") + 1)
    assert sorted(caught.value.by_grant) == ["one", "two"]


def test_a_file_that_cannot_be_read_is_not_blamed_on_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("accounts: {x: 1, x: 1}\n")
    (tmp_path / "b.yaml").write_text("version: 1\ngrants:\n" + grant_yaml(description='"—"'))
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)])
    assert [problem.code for problem in caught.value.problems] == ["XG003", "XG031"]


def test_an_account_that_is_refused_is_not_blamed_on_its_grants(tmp_path: Path) -> None:
    head = HEAD.replace(f'"{STORAGE}"', '"5555", managed: false, partition: aws-cn')
    found = problems_of(tmp_path, manifest_yaml(grant_yaml(permissions=""), head=head))
    assert len(found) == 1
    assert "XG013 an account id has exactly 12 digits" in found[0]


@pytest.mark.parametrize("grants", ["grants: {}\n", "grants:\n" + grant_yaml("a") + grant_yaml("b")])
def test_what_is_wrong_with_the_defaults_is_said_once_and_there(tmp_path: Path, grants: str) -> None:
    head = (
        HEAD
        + 'defaults:\n  path: x\n  session: {max_duration: 99h}\n  tags: {"aws:q": v}\n  require: {source_ip: [x]}\n'
    )
    found = problems_of(tmp_path, head + grants)
    assert [problem.split(" ")[:2] for problem in found] == [
        ["grants.yaml:8:9:", "XG029"],
        ["grants.yaml:9:27:", "XG037"],
        ["grants.yaml:10:10:", "XG030"],
        ["grants.yaml:11:25:", "XG034"],
    ]


@pytest.mark.parametrize("number", ["012", "1.10", "1e3", ".nan", "+5", "99999999999999999999999999999999999999999"])
def test_a_number_that_reading_would_change_has_to_be_quoted(tmp_path: Path, number: str) -> None:
    found = problems_of(tmp_path, manifest_yaml(grant_yaml(trust_conditions=f'{{StringEquals: {{"a:b": {number}}}}}')))
    assert [re.search(r"XG\d+", problem)[0] for problem in found] == ["XG005"]  # type: ignore[index]


@pytest.mark.parametrize("text", ["s\\n", "\\ns"])
@pytest.mark.parametrize("key", ["stack", "external_id", "account", "sid"])
def test_a_line_break_is_in_no_name(tmp_path: Path, key: str, text: str) -> None:
    manifest = {
        "stack": HEAD.replace("platform", f'"{text}"') + "grants: {}\n",
        "external_id": manifest_yaml(grant_yaml(require=f'{{external_id: "abc{text}"}}')),
        "account": manifest_yaml(
            head=HEAD.replace(f'"{DEV}"', f'"{DEV[:11]}1{text[:-1] if text[-1] == "s" else text[1:]}"')
        ),
        "sid": manifest_yaml(grant_yaml(permissions=f'[{{{PERMISSION}, sid: "a{text}"}}]')),
    }[key]
    assert any("XG013" in problem for problem in problems_of(tmp_path, manifest))


def test_two_grants_cannot_claim_one_role_in_whatever_case(tmp_path: Path) -> None:
    text = manifest_yaml(
        grant_yaml("one", to="{account: storage, role: Reader}"),
        grant_yaml("two", to="{account: storage, role: READER}"),
    )
    found = problems_of(tmp_path, text)
    assert len(found) == 1
    assert re.search(r"XG026 the role READER in account storage is the grant one's already, at .*:8:3", found[0])


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (manifest_yaml(grant_yaml("one")), "version: 1\ngrants:\n" + grant_yaml("one"), "XG023"),
        (HEAD, f'version: 1\naccounts: {{dev: {{id: "{DEV}"}}}}\n', "XG021"),
        (HEAD + "defaults: {}\n", "version: 1\ndefaults: {}\n", "XG022"),
        (HEAD, "version: 1\nstack: other\n", "XG020"),
        (HEAD + "store: s3://one/x\n", "version: 1\nstore: s3://one/x\n", "XG043"),
    ],
    ids=["grant", "account", "defaults", "stack", "store"],
)
def test_what_is_stated_once_is_not_stated_again_in_another_file(
    tmp_path: Path, first: str, second: str, code: str
) -> None:
    (tmp_path / "a.yaml").write_text(first, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(second, encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)])
    # Of two stacks and two grants either may be the mistake.
    files = ["a.yaml", "b.yaml"] if code in ("XG020", "XG023") else ["b.yaml"]
    assert [(p.code, Path(p.place.file).name) for p in caught.value.problems] == [(code, file) for file in files]
    assert "a.yaml" in caught.value.problems[-1].message


@pytest.mark.parametrize(
    ("stacks", "blamed"),
    [
        (["platfrom", "platform", "platform"], ["a.yaml"]),
        (["platform", "platform", "platfrom"], ["c.yaml"]),
        (["one", "two", "three"], ["a.yaml", "b.yaml", "c.yaml"]),
    ],
)
def test_another_stack_than_most_files_have_is_said_where_it_stands(
    tmp_path: Path, stacks: list[str], blamed: list[str]
) -> None:
    for file, stack in zip("abc", stacks, strict=True):
        (tmp_path / f"{file}.yaml").write_text(f"version: 1\nstack: {stack}\n")
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)])
    found = [(Path(p.place.file).name, p.code) for p in caught.value.problems if p.code == "XG020"]
    assert found == [(file, "XG020") for file in blamed]


@pytest.mark.parametrize("store", ["s3://my-bucket", "s3://my.bucket/", "s3://my-bucket/a/b=1/_c", "s3://abc/a/"])
def test_a_store_is_a_place_in_s3(tmp_path: Path, store: str) -> None:
    assert load_text(tmp_path, manifest_yaml(grant_yaml(), head=HEAD + f"store: {store}\n")).store == store


@pytest.mark.parametrize(
    ("store", "code"),
    [
        ("my-bucket/x", "XG013"), ("s3://", "XG013"), ("s3://ab", "XG013"), ("s3://My-bucket", "XG013"),
        ("s3://my-bucket//a", "XG013"), ("s3://my-bucket/a b", "XG013"), ('"s3://my-bucket\\n"', "XG013"),
        ("file://x", "XG013"), ("[s3://my-bucket]", "XG012"), ("1", "XG012"),
    ],
)  # fmt: skip
def test_any_other_store_is_a_problem_that_says_how_to_write_it(tmp_path: Path, store: str, code: str) -> None:
    (problem,) = problems_of(tmp_path, manifest_yaml(grant_yaml(), head=HEAD + f"store: {store}\n"))
    assert problem.startswith(f"grants.yaml:7:8: {code} a store is written s3://BUCKET/PREFIX")


def test_aliases_that_explode_are_refused_before_they_do(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    found = problems_of(tmp_path, "\n".join(lines))
    assert [re.search(r"XG\d+", problem)[0] for problem in found] == ["XG004"]  # type: ignore[index]


def test_an_ordinary_alias_is_fine(tmp_path: Path) -> None:
    text = manifest_yaml(grant_yaml("one", tags="&tags {team: data}"), grant_yaml("two", tags="*tags"))
    assert [dict(grant.tags) for grant in load_text(tmp_path, text).grants] == [{"team": "data"}] * 2


def test_a_policy_file_is_checked_with_places_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "read.json").write_text(
        '{\n\t"Version": "2012-10-17",\n\t"Statement": [{"Effect": "Allow", "Action": "s3", "Resource": "*"}]\n}'
    )
    found = problems_of(tmp_path, manifest_yaml(grant_yaml(policy="{file: read.json}", permissions="")))
    assert [problem.split(" ")[:2] for problem in found] == [["read.json:3:46:", "XG027"]]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("{", "read.json:1:2: XG002"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', "read.json:1:1: XG002"),
        ('{"Version": "2012-10-17"}', "read.json:1:1: XG011"),
        ('{"Version": "2012-10-17", "Statement": [], "Extra": 1}', "read.json:1:40: XG013"),
        (
            '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}}',
            "read.json:1:92: XG010",
        ),
    ],
)
def test_a_policy_file_that_is_no_identity_policy_is_refused(tmp_path: Path, text: str, start: str) -> None:
    (tmp_path / "read.json").write_text(text)
    found = problems_of(tmp_path, manifest_yaml(grant_yaml(policy="{file: read.json}", permissions="")))
    assert found[0].startswith(start), found


def test_a_policy_file_behind_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "manifests", tmp_path / "secret.json"
    inside.mkdir()
    outside.write_text("{}")
    (inside / "link.json").symlink_to(outside)
    text = manifest_yaml(grant_yaml(policy="{file: link.json}", permissions=""))
    assert "XG032" in problems_of(inside, text)[0]


def test_an_external_id_is_never_shown_even_when_it_is_wrong(tmp_path: Path) -> None:
    for secret in ('"canary value!"', "00718281828"):
        text = manifest_yaml(grant_yaml(require=f"{{external_id: {secret}}}"))
        assert secret.strip('"') not in "\n".join(problems_of(tmp_path, text))


@pytest.mark.parametrize("given", ["missing", "empty"])
def test_a_path_without_manifests_is_named(tmp_path: Path, given: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="XG001") as caught:
        load([str(tmp_path / given)])
    assert str(tmp_path / given) in str(caught.value)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"version: 1 # \xff\n")
    with pytest.raises(ManifestError, match="XG001 the file is not UTF-8"):
        load([str(tmp_path)])
