"""`xgrant audit` over files: what it prints, in which form, and how it ends. AWS is asked for nothing."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.errors import XgrantError
from reconciler.pipeline.remembered import remembering
from reconciler.render.audit_data import COLUMNS
from tests.conftest import Result, Run
from tests.support import DEV, VENDOR, grant_yaml, manifest_yaml
from tests.trail import ROLE, Record, assumed, job, refused, service, session, sso, user, write_log

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "audit.schema.json").read_text(encoding="utf-8"))
PEOPLE = grant_yaml(**{"from": "{account: dev, users: [alice, dave], groups: [developers], permission_sets: [Data]}"})
JOBS = grant_yaml(
    "deploy", **{"from": '{oidc: {provider: token.actions.githubusercontent.com, subject: "repo:acme/site:ref:refs/heads/main"}}'}
)  # fmt: skip
DEPLOY = ROLE.replace("reader", "deploy")
MONTH = ("--since", "2026-01-01", "--until", "2026-02-01")
EVENTS = [
    *assumed(user(), device=f"arn:aws:iam::{DEV}:mfa/alice"),
    *assumed(user(), time="2026-01-20T11:00:00Z", ip="198.51.100.4"),
    *assumed(sso("Data")),
    *assumed(session()),
    *assumed(user("x", VENDOR), role=ROLE)[1:],
    refused(user("mallory"), message="User: \x1b[31m=evil\u202e is not authorized"),
    refused(user("mallory"), code="=cmd|' /C calc'!A0"),
    *assumed(job(), DEPLOY, operation="AssumeRoleWithWebIdentity"),
    refused(job("repo:evil/x:ref:refs/heads/main"), DEPLOY, operation="AssumeRoleWithWebIdentity"),
]


def look(
    folder: Path, xgrant: Run, *options: str, events: list[Record] = EVENTS, grants: tuple[str, ...] = (PEOPLE, JOBS)
) -> Result:
    manifest = folder / "m.yaml"
    manifest.write_text(manifest_yaml(*grants), encoding="utf-8")
    log = write_log(folder / "log.json", events)
    return xgrant("audit", manifest, "--from-file", log, *(() if "--since" in options else MONTH), *options)


def test_the_table_says_of_each_grant_who_how_often_when_with_mfa_and_from_where(tmp_path: Path, xgrant: Run) -> None:
    result = look(tmp_path, xgrant)
    reader = result.out[result.out.index("reader  (") :]
    assert reader.startswith(
        "reader  (storage/role/reader)\n"
        "  WHO                               SESSIONS  FIRST (UTC)  LAST (UTC)  MFA          FROM\n"
        "  permission set Data of dev        1         2026-01-15   2026-01-15  no           203.0.113.7\n"
        "  user alice of dev                 2         2026-01-15   2026-01-20  yes 1, no 1  203.0.113.7 +1\n"
        "  role deployer of dev (!)          1         2026-01-15   2026-01-15  no           203.0.113.7\n"
        "  id AIDAXXXXXXXXXXXXXXXX of vendor (!)\n"
        "                                    1         2026-01-15   2026-01-15  unknown      203.0.113.7\n"
        "  permission set Data of dev: as eve@example.com\n"
        "  role deployer of dev: as build-7\n"
        "  refused 2: user mallory of dev, 2026-01-15 10:00 UTC to 2026-01-15 10:00 UTC: =cmd|' /C calc'!A0\n"
        "      1, AccessDenied 1\n"
    )
    assert "  no session of user dave of dev, group developers of dev\n" in reader
    assert max(map(len, result.out.splitlines())) <= 100
    assert result.code == 2


def test_findings_are_told_and_are_exit_2(tmp_path: Path, xgrant: Run) -> None:
    result = look(tmp_path, xgrant)
    assert "Findings: 2\n" in result.out
    assert (
        "  not-named: reader in storage: role deployer of dev: 1 session\n    the grant does not name that role\n"
        in result.out
    )
    assert look(tmp_path, xgrant, events=EVENTS[:4]).code == 0


def test_what_was_looked_at_and_what_was_not_is_said(tmp_path: Path, xgrant: Run) -> None:
    out = look(tmp_path, xgrant).out
    assert f"Looked at 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z, {len(EVENTS)} events, of which 9 count.\n" in out
    assert "Files: 1 read. What they lack is not known: regions, accounts, or calls that only read.\n" in out
    assert "Not looked at: vendor\n" in out


def test_text_from_events_reaches_no_terminal_as_it_is(tmp_path: Path, xgrant: Run) -> None:
    for form in ("table", "json", "csv"):
        out = look(tmp_path, xgrant, "--format", form).out
        assert "\x1b" not in out
        assert "\u202e" not in out
    assert r"User: \u001b[31m=evil\u202e is not authorized" in look(tmp_path, xgrant).out


def test_json_is_what_its_schema_says(tmp_path: Path, xgrant: Run) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for events in (EVENTS, []):
        data = json.loads(look(tmp_path, xgrant, "--format", "json", events=events).out)
        Draft202012Validator(SCHEMA).validate(data)
    names = {part["grant"] for part in data["grants"]}
    assert names == {"deploy", "reader"}


def test_csv_has_a_row_for_each_caller_and_no_formula(tmp_path: Path, xgrant: Run) -> None:
    rows = list(csv.reader(io.StringIO(look(tmp_path, xgrant, "--format", "csv").out)))
    assert tuple(rows[0]) == COLUMNS
    by_caller = {row[3]: dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]}
    assert (by_caller["user alice of dev"]["sessions"], by_caller["user alice of dev"]["mfa"]) == ("2", "1")
    mallory = by_caller["user mallory of dev"]
    assert (mallory["sessions"], mallory["refused"], mallory["standing"]) == ("0", "2", "may be named")
    assert mallory["errors"] == "'=cmd|' /C calc'!A0:1 AccessDenied:1"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path: Path, xgrant: Run, start: str) -> None:
    events = assumed(user(), session_name=f"{start}1+1")
    (row,) = list(csv.DictReader(io.StringIO(look(tmp_path, xgrant, "--format", "csv", events=events).out)))
    assert row["session_names"].startswith("'")


def test_one_grant_is_looked_at_by_any_name_that_it_had(tmp_path: Path, xgrant: Run) -> None:
    grants = (PEOPLE, grant_yaml("deploy", moved="[{from: ship}]", **{"from": "{account: dev, users: [a]}"}))
    out = look(tmp_path, xgrant, "--grant", "ship", grants=grants).out
    assert out.startswith("deploy  (")
    assert "reader" not in out


WRONG_TIMES = {
    "before CloudTrail's": (("--since", "400d"), "--since: CloudTrail looks up the last 90 days only"),
    "that end before": (("--until", "100d"), "--until: CloudTrail looks up the last 90 days only"),
    "of another region": (
        ("--region", "us-esat-1"),
        "--region: there is no region us-esat-1; did you mean us-west-1 or us-east-1?",
    ),
    "of no region": (("--region", "home"), "--region: there is no region home; a region is like us-east-1"),
}


@pytest.mark.parametrize(("options", "says"), WRONG_TIMES.values(), ids=WRONG_TIMES)
def test_what_no_lookup_can_find_is_refused_before_any(
    tmp_path: Path, xgrant: Run, options: tuple[str, ...], says: str
) -> None:
    (tmp_path / "m.yaml").write_text(manifest_yaml(PEOPLE), encoding="utf-8")
    result = xgrant("audit", tmp_path / "m.yaml", *options)
    assert (result.code, says in result.err) == (64, True), result.err


def test_who_may_be_named_is_told_with_what_would_tell(tmp_path: Path, xgrant: Run) -> None:
    out = look(tmp_path, xgrant, events=[refused(user("mallory")), *assumed(user("mallory"))]).out
    assert "It may be named; not enough is known.\n    --read-accounts asks AWS who is in groups" in out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--grant", "nope"), "--grant: there is no grant nope in the manifests"),
        (("--region", "us-east-1"), "--region is for CloudTrail"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "--since: it has to be before --until"),
        (("--since", "2026-02-31"), "there is no such time"),
        (("--since", "yesterday"), "a time is like 30d or 12h, which is so long ago, or 2026-01-31 or"),
        (("--from-file", "missing.json"), "there is no file or directory missing.json"),
        (("--unused", "90d"), "--until and --unused do not go together"),
        (("--since", "30d", "--unused", "90d"), "--since and --unused do not go together: --unused says for how long"),
        (("--unused", "90d", "--format", "json"), "--until and --unused do not go together"),
        (("--format", "xml"), "invalid choice"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_told_with_what_to_do(tmp_path: Path, xgrant: Run, options: tuple[str, ...], says: str) -> None:
    result = look(tmp_path, xgrant, *options)
    assert result.code == 64
    assert says in result.err


def test_broken_files_are_named_and_the_others_count(tmp_path: Path, xgrant: Run) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.json.gz").write_bytes(gzip.compress(b'{"Records": [')[:-4])
    (tmp_path / "logs" / "b.json").write_text("{", encoding="utf-8")
    result = look(tmp_path, xgrant, "--from-file", str(tmp_path / "logs"))
    assert result.code == 6
    assert "Broken files: 2\n" in result.out
    assert "b.json: it is no JSON" in result.err
    assert "user alice of dev" in result.out


def test_where_all_files_are_broken_nothing_is_reported(tmp_path: Path, xgrant: Run) -> None:
    (tmp_path / "m.yaml").write_text(manifest_yaml(PEOPLE), encoding="utf-8")
    (tmp_path / "b.json").write_text("{", encoding="utf-8")
    result = xgrant("audit", tmp_path / "m.yaml", "--from-file", tmp_path / "b.json")
    assert (result.code, result.out) == (1, "")
    assert "no file could be read" in result.err


def test_standard_input_is_read_where_a_file_is_called_so(
    tmp_path: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(gzip.compress(json.dumps({"Records": EVENTS}).encode()))

    monkeypatch.setattr("sys.stdin", Stdin)
    (tmp_path / "m.yaml").write_text(manifest_yaml(PEOPLE), encoding="utf-8")
    result = xgrant("audit", tmp_path / "m.yaml", "--from-file", "-", *MONTH, "--format", "json")
    assert json.loads(result.out)["looked_at"]["events"] == len(EVENTS)


def test_a_grant_over_many_accounts_is_one_part_of_the_table(tmp_path: Path, xgrant: Run) -> None:
    head = "version: 1\nstack: s\naccounts:\n  dev: {id: '123456789012'}\n"
    ids = [f"7000000000{i:02}" for i in range(40)]
    head += "".join(f"  w{i}: {{id: '{account}', tags: {{t: w}}}}\n" for i, account in enumerate(ids))
    head += "account_groups: {all: {tags: {t: w}}}\n"
    grant = grant_yaml("many", to="{account: all}", **{"from": "{account: dev, users: [alice]}"})
    roles = [f"arn:aws:iam::{account}:role/many" for account in ids[:3]]
    (tmp_path / "m.yaml").write_text(manifest_yaml(grant, head=head), encoding="utf-8")
    log = write_log(tmp_path / "log.json", [record for role in roles for record in assumed(user(), role)])
    out = xgrant("audit", tmp_path / "m.yaml", "--from-file", log, *MONTH).out
    assert out.splitlines()[:4] == [
        "many  (40 accounts)",
        "  WHO                               SESSIONS  FIRST (UTC)  LAST (UTC)  MFA  FROM",
        "  user alice of dev, in 3 of 40 accounts",
        "                                    3         2026-01-15   2026-01-15  no   203.0.113.7",
    ]
    assert "no session in w10, w11, w12, w13, w14 and 32 more" in out


def test_services_and_others_are_shown_by_what_they_are(tmp_path: Path, xgrant: Run) -> None:
    strange: list[dict[str, Any]] = [
        service(),
        {"type": "SAMLUser", "userName": "s"},
        {"type": "Root", "principalId": DEV, "accountId": DEV},
        {},
    ]
    out = look(tmp_path, xgrant, events=[record for who in strange for record in assumed(who)]).out
    for words in ("service lambda.amazonaws.com (!)", "SAML user s (!)", "root of dev (!)", "somebody (!)"):
        assert words in out


def test_a_patch_has_no_other_form(tmp_path: Path, xgrant: Run) -> None:
    result = xgrant("audit", tmp_path, "--unused", "90d", "--format", "json")
    assert (result.code, "--format and --unused do not go together" in result.err) == (64, True)


def test_an_event_is_known_again_and_where_it_cannot_be_remembered_that_is_said() -> None:
    with remembering() as remembered:
        assert remembered.note("one", mfa=False) is None
        assert remembered.note("one", mfa=True) is False
        assert remembered.note("one", mfa=False) is True
    with pytest.raises(XgrantError, match="make room where temporary files lie"):
        remembered.note("two", mfa=False)
