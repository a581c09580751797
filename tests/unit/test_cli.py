"""The command line: quick help, exit codes, and no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler import __version__
from reconciler.cli import EXIT_CODES
from reconciler.commands.output import painter
from tests.conftest import EXAMPLE, Run
from tests.pages import README
from tests.support import HEAD

HEAVY = ("boto3", "botocore", "jsonschema", "deepdiff", "yaml", "moto")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plan", "--help"]], ids=" ".join)
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import json, sys\nfrom reconciler.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert loaded & set(HEAVY) == set()


def test_validate_does_not_import_boto3() -> None:
    code = (
        f"import sys\nfrom reconciler.cli import main\nmain(['validate', {str(EXAMPLE)!r}])\n"
        "assert 'yaml' in sys.modules and 'boto3' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_module_runs_as_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "reconciler", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"xgrant {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["plan", "--nonsense"], ["plan", "--format", "xml"], ["sandbox", "--port", "65536"],
     ["sandbox", "--port", "-1"], ["sandbox", "--port", "x"], ["unlock"], ["history", "--limit", "0"],
     ["apply", "--lock-timeout", "5"], ["apply", "--lock-timeout", "5d"], ["plan", "--lock-timeout", "5s"]],
)  # fmt: skip
def test_wrong_usage_exits_64_since_2_means_changes(xgrant: Run, arguments: list[str]) -> None:
    result = xgrant(*arguments)
    assert result.code == 64
    assert "usage: xgrant" in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "--nonsense"], "usage: xgrant plan [-h]"),
        (["plan", "--nonsense"], "xgrant plan: error: unrecognized arguments: --nonsense"),
        (["sandbox", "--port", "abc"], "argument --port: a port is a number from 0 to 65535; this is abc"),
        (["sandbox", "--port", "9" * 5000], "a port is a number from 0 to 65535; this is 9"),
        (["show", "a", "b"], "usage: xgrant show [-h]"),
        (["plann"], "xgrant: error: there is no command plann; did you mean plan?"),
        (["zzz"], "there is no command zzz; `xgrant --help` shows all"),
        (
            ["rotate", "--due", "x"],
            "--due means all roles that are due, whatever their grants: leave it out, or name no",
        ),
        (["rotate"], "name the grants to rotate, or say --due for all that are due"),
    ],
)
def test_wrong_usage_of_a_subcommand_is_told_by_that_subcommand(xgrant: Run, arguments: list[str], says: str) -> None:
    result = xgrant(*arguments)
    assert (result.code, says in result.err) == (64, True)


def test_the_exit_codes_stand_in_the_readme_as_in_the_help() -> None:
    readme = README.read_text(encoding="utf-8").replace("`", "")
    for line in EXIT_CODES.splitlines()[1:]:
        code, meaning = line.split(maxsplit=1)
        assert f"| {code} | {meaning} |" in readme


def test_validate_says_what_it_has_checked(xgrant: Run) -> None:
    result = xgrant("validate", EXAMPLE)
    assert (result.code, result.out) == (0, "valid: stack platform, 1 grant, 2 accounts\n")


def test_problems_go_to_stderr_one_a_line_with_their_number(xgrant: Run, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(HEAD + "x: 1\ny: 2\n")
    result = xgrant("validate", file)
    assert (result.code, result.out) == (3, "")
    lines = result.err.splitlines()
    assert [line.split(" ")[:2] for line in lines[:2]] == [[f"{file}:7:1:", "XG010"], [f"{file}:8:1:", "XG010"]]
    assert lines[2:] == ["2 problems; nothing was read or changed"]


def test_hostile_text_of_a_manifest_is_escaped_in_its_problem(xgrant: Run, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(HEAD + '"\\e[2J\\u202e": 1\n')
    result = xgrant("validate", file)
    assert result.code == 3
    assert "\\u202e" in result.err
    assert not {"\x1b", "\u202e"} & set(result.err)


def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    done = subprocess.run(
        f"{sys.executable} -m reconciler validate {EXAMPLE} | true",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "coloured"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {}, False),
    ],
)
def test_colour_follows_the_terminal_the_environment_and_the_option(
    monkeypatch: pytest.MonkeyPatch, choice: str, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    assert painter(choice).colour is coloured


def test_a_closed_stdout_or_stderr_is_no_error() -> None:
    for closed in (">&-", "2>&-"):
        line = f"{sys.executable} -m reconciler validate {EXAMPLE} {closed}"
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_without_the_extra_the_sandbox_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "moto").mkdir()
    (tmp_path / "moto" / "__init__.py").write_text("raise ModuleNotFoundError('no moto', name='moto')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from reconciler.cli import main; sys.exit(main(['demo']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (64, 1)
    assert "in a checkout of xgrant, pip install '.[sandbox]'" in done.stderr
