"""A team's own checks: programs that read the plan as JSON, and what they may answer."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import pytest
import regopy

from reconciler.errors import Place
from reconciler.lint import by_id
from reconciler.manifest.guardrails import load_policies
from reconciler.manifest.places import Places
from reconciler.model import Exemption, Finding, Level, OwnCheck, Plan, Policies
from reconciler.pipeline.checks import run_checks
from reconciler.render.data import to_json
from tests.support import HEAD, grant_yaml, load_text, manifest_yaml, plan_for

EXAMPLES = Path(__file__).parents[2] / "examples" / "policies"
AT = Place("policies/team.yaml", 3, 3)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_for(load_text(tmp_path, manifest_yaml(grant_yaml())), {})


def run(
    plan: Plan, folder: Path, code: str, *, level: Level = Level.DENY, timeout: float = 20, **more: object
) -> list[Finding]:
    """Run a check that is written in Python."""
    check = OwnCheck("ours", (sys.executable, "-c", code), level, timeout, AT, str(folder))
    policies = Policies(checks=(check,), **more)  # type: ignore[arg-type]
    manifest = load_text(folder, manifest_yaml(grant_yaml()))
    return [*run_checks(plan, policies, Places(manifest, []).place)]


def test_a_check_that_ends_with_0_has_nothing_against_the_plan(plan: Plan, tmp_path: Path) -> None:
    assert run(plan, tmp_path, "print('all is well')") == []


def test_a_check_reads_the_plan_as_json_in_the_folder_above_policies(plan: Plan, tmp_path: Path) -> None:
    code = "import json, os, sys; p = json.load(sys.stdin); sys.exit(p['stack'] + ' ' + os.getcwd())"
    (finding,) = run(plan, tmp_path, code)
    assert finding.message == f"ours: platform {tmp_path}"


@pytest.mark.parametrize(
    ("level", "severity"), [(Level.DENY, "error"), (Level.WARN, "warning"), (Level.ADVICE, "note")]
)
def test_an_objection_counts_as_its_check_does(plan: Plan, tmp_path: Path, level: Level, severity: str) -> None:
    (finding,) = run(plan, tmp_path, "print('no tag'); exit(2)", level=level)
    assert (finding.rule, finding.severity, finding.message) == ("XG140", severity, "ours: no tag")
    assert finding.place == AT


def test_each_line_of_json_is_an_objection_and_a_grant_gives_it_its_place(plan: Plan, tmp_path: Path) -> None:
    lines = [{"message": "one", "grant": "reader", "what_to_do": "mend it"}, {"message": "two", "grant": "nobody"}]
    code = "".join(f"print({json.dumps(line)!r}); " for line in lines) + "exit(1)"
    one, two = run(plan, tmp_path, code)
    assert (one.message, one.grant, one.way_out) == ("ours: one", "reader", "mend it")
    assert str(one.place).endswith(f"grants.yaml:{HEAD.count(chr(10)) + 2}:3")
    assert (two.message, two.grant, two.place) == ("ours: two", "", AT)


def test_an_exception_lets_an_objection_through(plan: Plan, tmp_path: Path) -> None:
    line = json.dumps({"message": "one", "grant": "reader"})
    allowed = Exemption("XG140", "reader", "why", "me", "2999-12-31", AT)
    assert run(plan, tmp_path, f"print({line!r}); exit(1)", exemptions=(allowed,)) == []


@pytest.mark.parametrize(
    ("code", "why"),
    [
        pytest.param("import time; time.sleep(60)", "gave no answer within 0.5 s, and was ended", id="too slow"),
        pytest.param("print('{\"message\": 1}'); exit(1)", "has to be texts", id="message is no text"),
        pytest.param('print(\'{"text": "x"}\'); exit(1)', "no object with a message", id="no message"),
        pytest.param(
            'print(\'{"message": "x"}\\nand more\'); exit(1)', "this line of it is no JSON: and more", id="no JSON"
        ),
        pytest.param("import sys; sys.stdout.buffer.write(b'\\xff'); exit(1)", "no UTF-8 text", id="no text"),
        pytest.param("print('{\"message\": ' + '[' * 200000); exit(1)", "no JSON", id="nested"),
        pytest.param('print(\'{"message": "x"}\')', "it objects, and ends with 0", id="objects and ends with 0"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "ended by the signal 9", id="a signal"),
        pytest.param("exit(127)", "as a shell does where a command was not found", id="not found"),
        pytest.param(
            "import sys\nwhile True: sys.stdout.write('x' * 100000)", "wrote more than 8,000,000 bytes", id="too much"
        ),
    ],
)
def test_what_is_no_answer_counts_as_its_check_does(plan: Plan, tmp_path: Path, code: str, why: str) -> None:
    (finding,) = run(plan, tmp_path, code, timeout=0.5 if "sleep" in code else 20)
    assert (finding.rule, finding.severity) == ("XG141", "error")
    assert why in finding.message
    assert finding.place == AT


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "./policies/no-such-file"])
def test_a_program_that_is_not_there_is_no_answer(plan: Plan, tmp_path: Path, program: str) -> None:
    check = OwnCheck("ours", (program,), Level.WARN, 5, AT, str(tmp_path))
    (finding,) = run_checks(plan, Policies(checks=(check,)), lambda *_: None)
    assert (finding.rule, finding.severity) == ("XG141", "warning")
    assert f"{program} cannot be started: No such file" in finding.message


def test_a_check_that_ends_without_a_word_is_an_objection_all_the_same(plan: Plan, tmp_path: Path) -> None:
    (finding,) = run(plan, tmp_path, "exit(3)")
    assert finding.message == "ours: it ended with 3 and said nothing"


def test_what_a_slow_check_has_started_ends_with_it(plan: Plan, tmp_path: Path) -> None:
    child = f"import time; time.sleep(1.5); open({str(tmp_path / 'late')!r}, 'w')"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    began = time.monotonic()
    assert [one.rule for one in run(plan, tmp_path, code, timeout=0.5)] == ["XG141"]
    assert time.monotonic() - began < 1.4
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


SECRETS = (
    "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_TOKEN",
    "VAULT_TOKEN", "ACTIONS_RUNTIME_TOKEN", "GITHUB_TOKEN", "GITHUB_ENV", "GITHUB_OUTPUT", "GITLAB_TOKEN",
    "XGRANT_ID_TOKEN", "A_NAME_THAT_NOBODY_KNOWS",
)  # fmt: skip


def test_a_check_gets_no_credentials_and_no_secret_of_the_plan(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    (tmp_path / "more").mkdir()
    hidden = plan_for(load_text(tmp_path / "more", manifest_yaml(grant_yaml(require="{external_id: secret}"))), {})
    code = "import os, sys; sys.exit(int('secret' in sys.stdin.read() or 'secret' in os.environ.values()))"
    assert run(hidden, tmp_path, code) == []


def test_a_check_that_asks_aws_has_nothing_to_ask_with(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws" / "credentials"))
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    code = "import boto3, os, pathlib; exit(bool(boto3.Session().get_credentials() or os.listdir(pathlib.Path.home())))"
    assert run(plan, tmp_path, code) == []


def test_a_check_finds_its_way_and_what_the_run_is_for(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SHA", "abc123")
    code = "import os; exit(os.environ['GITHUB_SHA'] != 'abc123' or not os.environ['PATH'])"
    assert run(plan, tmp_path, code) == []


def test_what_an_exception_lets_through_takes_no_room_from_what_it_does_not(plan: Plan, tmp_path: Path) -> None:
    line = json.dumps({"message": "let through", "grant": "reader"})
    other = json.dumps({"message": "not let through"})
    allowed = Exemption("XG140", "reader", "why", "me", "2999-12-31", AT)
    code = f"print(({line!r} + chr(10)) * 100 + {other!r}); exit(1)"
    assert [one.message for one in run(plan, tmp_path, code, exemptions=(allowed,))] == ["ours: not let through"]


def test_of_very_many_objections_it_is_said_how_many_are_not_shown(plan: Plan, tmp_path: Path) -> None:
    code = 'print(\'{"message": "x"}\\n\' * 103); exit(1)'
    found = run(plan, tmp_path, code)
    assert len(found) == 101
    assert found[-1].message == "ours: 3 more objections are not shown"


def test_a_line_of_json_ends_at_a_line_feed_and_nowhere_else(plan: Plan, tmp_path: Path) -> None:
    line = json.dumps({"message": "a\u2028b"}, ensure_ascii=False)
    code = f"import sys; sys.stdout.buffer.write({line!r}.encode()); exit(1)"
    assert [one.message for one in run(plan, tmp_path, code)] == ["ours: a\u2028b"]


def test_what_a_check_leaves_behind_ends_with_it_and_nobody_waits_for_it(plan: Plan, tmp_path: Path) -> None:
    check = OwnCheck("ours", ("sh", "-c", f"(sleep 1.5; touch {tmp_path}/late) & exit 0"), Level.DENY, 20, AT)
    began = time.monotonic()
    assert [*run_checks(plan, Policies(checks=(check,)), lambda *_: None)] == []
    assert time.monotonic() - began < 1.2
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


def test_a_program_that_is_a_link_is_started_by_its_own_name(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").symlink_to("/bin/sh")
    check = OwnCheck("ours", ("bin/tool", "-c", "echo $0; exit 1"), Level.DENY, 20, AT, str(tmp_path))
    (finding,) = run_checks(plan, Policies(checks=(check,)), lambda *_: None)
    assert finding.message == f"ours: {tmp_path}/bin/tool"


def test_arguments_are_read_by_no_shell(plan: Plan, tmp_path: Path) -> None:
    check = OwnCheck(
        "ours", (sys.executable, "-c", "import sys; sys.exit(sys.argv[1])", "$(id); `id` | *"), Level.DENY, 20, AT
    )
    (finding,) = run_checks(plan, Policies(checks=(check,)), lambda *_: None)
    assert finding.message == "ours: $(id); `id` | *"


PROD = HEAD + '  prod-shop: {id: "111111111111"}\n'


@pytest.mark.parametrize("bounded", [False, True])
def test_the_example_check_runs(tmp_path: Path, *, bounded: bool) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "policies")
    more = {"permissions_boundary": "arn:aws:iam::111111111111:policy/b"} if bounded else {}
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(to="{account: prod-shop}", **more), head=PROD))
    policies = load_policies([str(tmp_path / "grants.yaml")], rules=by_id(), today="2026-06-15")
    found = [*run_checks(plan_for(manifest, {}), policies, Places(manifest, []).place)]
    assert [one.message for one in found] == (
        [] if bounded else ["production: prod-shop/role/reader is in production and has no permissions boundary"]
    )


@pytest.mark.parametrize("bounded", [False, True])
def test_the_example_policy_in_rego_says_what_the_one_in_python_says(tmp_path: Path, *, bounded: bool) -> None:
    """Evaluated by Microsoft's rego-cpp, since Open Policy Agent is on no package index."""
    more = {"permissions_boundary": "arn:aws:iam::111111111111:policy/b"} if bounded else {}
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(to="{account: prod-shop}", **more), head=PROD))
    rego = regopy.Interpreter()
    rego.add_module("production", (EXAMPLES / "rego" / "production.rego").read_text(encoding="utf-8"))
    rego.set_input(json.loads(to_json(plan_for(manifest, {}))))
    says = json.loads(str(rego.query("data.xgrant.deny")))["expressions"][0]
    assert says == ([] if bounded else ["prod-shop/role/reader is in production and has no permissions boundary"])


@pytest.mark.skipif(shutil.which("opa") is None, reason="Open Policy Agent is not installed")
def test_the_example_for_opa_runs(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(to="{account: prod-shop}"), head=PROD))
    run = ("opa", "eval", "--stdin-input", "--data", str(EXAMPLES / "rego"), "--fail-defined", "data.xgrant.deny[_]")
    (finding,) = run_checks(
        plan_for(manifest, {}), Policies(checks=(OwnCheck("opa", run, Level.DENY, 30, AT),)), lambda *_: None
    )
    assert "has no permissions boundary" in finding.message
