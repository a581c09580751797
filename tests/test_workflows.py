"""Workflows, the action, the template and the hook: what GitHub, GitLab and pre-commit take, and nothing insecure."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import __version__
from reconciler.starter import REQUIREMENTS
from tests.pages import ROOT
from tests.pipelines.gitlab_ci import template
from tests.pipelines.world import starter

BIN = Path(sys.executable).parent
STARTER = ROOT / "reconciler" / "starter"
ACTION = ROOT / "action.yml"
WORKFLOWS = (
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    *sorted((STARTER / "github" / "dot-github" / "workflows").glob("*.yml")),
)
TEMPLATE = STARTER / "gitlab" / "dot-gitlab-ci.yml"
SCHEMAS = (
    *(("vendor.github-workflows", path) for path in WORKFLOWS),
    ("vendor.github-actions", ACTION),
    ("vendor.gitlab-ci", TEMPLATE),
)


@pytest.mark.parametrize(("schema", "path"), SCHEMAS, ids=lambda value: getattr(value, "name", value))
def test_a_file_is_as_its_published_schema_says(schema: str, path: Path) -> None:
    transform = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    program = BIN / "check-jsonschema"
    done = subprocess.run(
        [program, "--builtin-schema", schema, *transform, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing_insecure(tmp_path: Path) -> None:
    for name, text in {**starter("github"), "action.yml": ACTION.read_text()}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    own = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (tmp_path / ".github" / "workflows" / "ci.yml").write_text(own)
    # `$/` needs GitHub's own service and a runner of July 2026; what `./` names is the commit of the run here, too.
    (tmp_path / "zizmor.yml").write_text("rules: {self-repository: {disable: true}}\n")
    done = subprocess.run(
        [
            BIN / "zizmor", "--offline", "--no-progress", "--config", tmp_path / "zizmor.yml", "--format", "json",
            "--persona", "pedantic", tmp_path,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [(each["ident"], each["locations"][0]["symbolic"]["key"]) for each in json.loads(done.stdout)]
    assert found == [], done.stderr


def _shells() -> Iterator[tuple[str, str]]:
    """Yield the shell of every step and job, with what it is of."""
    for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]:
        if "run" in step:
            yield step["name"], step["run"]
    for name, job in template(TEMPLATE).items():
        yield name, "\n".join([*job["before_script"], *job["script"]])


@pytest.mark.parametrize(("name", "script"), [*_shells()])
def test_shellcheck_finds_nothing_in_the_shell_of(name: str, script: str) -> None:
    done = subprocess.run(
        [BIN / "shellcheck", "--shell", "bash", "--exclude", "SC2154", "-"],
        input=script, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "", name


def _steps(path: Path) -> Iterator[dict[str, Any]]:
    data = yaml.safe_load(path.read_text())
    jobs = data["jobs"].values() if "jobs" in data else [data["runs"]]
    return (step for job in jobs for step in job["steps"])


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_and_no_shell_has_an_expression_in_it(path: Path) -> None:
    for step in _steps(path):
        assert "${{" not in step.get("run", "")
        used = step.get("uses", "./")
        assert used.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used), used


def test_one_action_is_pinned_to_one_commit_everywhere_and_says_its_version() -> None:
    pins: dict[str, set[str]] = {}
    for path in (*WORKFLOWS, ACTION):
        for name, pin in re.findall(r"uses: ([\w./-]+)@(.*)", path.read_text()):
            pins.setdefault(name, set()).add(pin)
    assert {name: len(found) for name, found in pins.items() if len(found) > 1} == {}
    assert all(re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin) for found in pins.values() for pin in found)


def test_no_workflow_has_a_permission_that_no_job_asks_for() -> None:
    for path in WORKFLOWS:
        data = yaml.safe_load(path.read_text())
        assert data["permissions"] in ({}, {"contents": "read"}), path.name
        if path.name.startswith("xgrant"):
            assert all("permissions" in job for job in data["jobs"].values()), path.name


def test_merges_wait_for_each_other_and_none_is_cancelled() -> None:
    (path,) = (path for path in WORKFLOWS if path.name == "xgrant-merge.yml")
    concurrency = yaml.safe_load(path.read_text())["concurrency"]
    # GitHub's changelog of 2026-05-07: by default a run that waits is cancelled by the next one.
    assert (concurrency["queue"], concurrency["cancel-in-progress"]) == ("max", False)


def test_only_the_job_of_the_environment_may_be_the_role_that_applies() -> None:
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            roles = [step.get("with", {}).get("role-to-assume", "") for step in job["steps"]]
            assert any("APPLY" in role for role in roles) is (name == "apply"), (path.name, name)
            assert ("environment" in job) is (name == "apply"), (path.name, name)


def test_the_action_of_the_starter_is_the_one_of_the_project() -> None:
    assert starter("github")[".github/actions/xgrant/action.yml"] == ACTION.read_text()


def test_the_starters_say_this_version_and_name_nothing_that_somebody_else_may_publish() -> None:
    for host, name in REQUIREMENTS.items():
        *comments, line = starter(host)[name].splitlines()
        assert all(one.startswith("#") for one in comments)
        assert f"/xgrant-{__version__}-py3-none-any.whl#sha256=" in comments[-1]
        assert not re.match(r"[\w.-]+(\[|[=<>~!]|$)", line)


def test_the_workflows_name_no_branch_since_the_default_one_may_have_any_name() -> None:
    for path in WORKFLOWS:
        if path.name.startswith("xgrant"):
            assert all(
                line.strip() == 'branches: ["**"]' for line in path.read_text().splitlines() if "branches:" in line
            )
            jobs = yaml.safe_load(path.read_text())["jobs"]
            planning = [job for name, job in jobs.items() if name != "apply" and "id-token" in job["permissions"]]
            assert all("github.event.repository.default_branch" in job["if"] for job in planning), path.name


def test_pre_commit_takes_the_hook() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {"id", "name", "entry", "language", "files"} <= hook.keys()
    for name, wanted in (("manifests/a/b.yaml", True), ("policies/team.yml", True), ("docs/a.md", False)):
        assert bool(re.search(hook["files"], name)) is wanted
    assert hook["entry"].split()[0] == "xgrant"
