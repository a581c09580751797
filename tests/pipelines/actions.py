"""A runner of GitHub's workflows: jobs and steps as the files have them, each shell by bash, each action by `_USES`."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.expressions import as_text, holds, resolve
from tests.pipelines.github_api import REPOSITORY, GitHubApi
from tests.pipelines.repository import Repository
from tests.pipelines.triggers import begins

READ_ONLY = {"contents": "read"}
"""What the token of a job for a fork may do at most."""

Credentials = Callable[[str, str], Mapping[str, str]]
"""What the action of AWS does: of a role's ARN and the subject of the job's token, the variables of a session."""


@dataclass
class Job:
    """What a job came to."""

    result: str = "skipped"
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    used: list[str] = field(default_factory=list)
    """The actions that it used, and with which subject it asked for a role of AWS."""


@dataclass
class Run:
    """A run of a workflow: its event, and its jobs."""

    id: int
    workflow: str
    event: str
    payload: Mapping[str, Any]
    ref: str
    commit: str
    fork: bool = False
    attempt: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)

    def results(self) -> dict[str, str]:
        return {name: job.result for name, job in self.jobs.items()}


class Runner:
    """Runs workflows of a repository in a folder of its own, where a shell finds what `programs` has.

    `credentials` gives sessions of AWS.
    """

    def __init__(
        self, folder: Path, programs: Path, repository: Repository, api: GitHubApi, credentials: Credentials,
        variables: dict[str, str],
    ) -> None:  # fmt: skip
        self.folder, self.programs, self.repository, self.api = folder, programs, repository, api
        self.credentials, self.variables = credentials, variables
        self.approves = True
        """Whether those who are asked approve a deployment."""
        self.before: dict[str, Callable[[], None]] = {}
        """What somebody does before a job of a name begins."""
        self._count = 0
        self._waiting: list[tuple[Run, str]] = []
        write_python(folder)

    def run(
        self, workflow: str, event: str, payload: Mapping[str, Any], *, ref: str, commit: str, fork: bool = False
    ) -> Run:
        """Run a workflow of a commit for an event."""
        run = self.start(workflow, event, payload, ref=ref, commit=commit, fork=fork)
        self.work()
        return run

    def start(
        self, workflow: str, event: str, payload: Mapping[str, Any], *, ref: str, commit: str, fork: bool = False
    ) -> Run:
        """Let an event begin a workflow, if it does: the run waits for its turn in its group."""
        path = f".github/workflows/{workflow}.yml"
        run = Run(self.api.number(), path, event, payload, ref, commit, fork)
        data = yaml.safe_load(self.repository.read(commit, path))
        if not begins(data, event, payload, ref):
            return run
        pull = payload.get("pull_request")
        self.api.begin(
            run.id, path, event=event, head_sha=pull["head"]["sha"] if pull else commit,
            head_branch=pull["head"]["ref"] if pull else ref.split("/", 2)[2],
        )  # fmt: skip
        self._enqueue(run, data.get("concurrency", {}))
        return run

    def _enqueue(self, run: Run, concurrency: Mapping[str, Any]) -> None:
        """Let a run wait. Without `queue: max`, one that waits behind another is cancelled by the next."""
        group = as_text(resolve(concurrency.get("group", f"none-{run.id}"), {"github": github(run)}))
        ahead = [other for other, of in self._waiting if of == group]
        if len(ahead) > 1 and concurrency.get("queue") != "max":
            self._waiting.remove((ahead[-1], group))
            self.api.runs[ahead[-1].id]["conclusion"] = "cancelled"
        self._waiting.append((run, group))

    def work(self) -> None:
        """Run all that waits, one after the other."""
        while self._waiting:
            self._jobs(self._waiting.pop(0)[0], lambda _: True)

    def again(self, run: Run) -> None:
        """Run again what failed of a run, and what has waited for it, as the button "Re-run failed jobs"."""
        left = [name for name, job in run.jobs.items() if job.result not in ("success", "skipped")]
        jobs = yaml.safe_load(self.repository.read(run.commit, run.workflow))["jobs"]
        for name, job in jobs.items():
            if set(needed(job)) & set(left):
                left.append(name)
        self._jobs(run, left.__contains__)

    def all_again(self, run: Run) -> None:
        """Run all of a run again, as the button "Re-run all jobs"."""
        self._jobs(run, lambda _: True)

    def _jobs(self, run: Run, chosen: Callable[[str], bool]) -> None:
        run.attempt += 1
        jobs = yaml.safe_load(self.repository.read(run.commit, run.workflow))["jobs"]
        # A job that is run again sees nothing of what it came to before, and nor does one that needs it.
        run.jobs = {name: job for name, job in run.jobs.items() if not chosen(name)}
        for name, job in jobs.items():
            if name not in run.jobs:
                self._count += 1
                self.before.pop(name, _nothing)()
                self.api.started(run.id, job["name"], run.attempt)
                run.jobs[name] = _Worker(self, run, job, self.folder / f"job-{self._count}").work()
                self.api.ended(run.id, job["name"], run.jobs[name].result, run.attempt)
        # The order is that of the file.
        run.jobs = {name: run.jobs[name] for name in jobs}
        conclusion = "failure" if "failure" in run.results().values() else "success"
        self.api.runs[run.id]["conclusion"] = conclusion


class _Worker:
    """One job on a machine of its own, which is a folder."""

    def __init__(self, runner: Runner, run: Run, data: Mapping[str, Any], machine: Path) -> None:
        self.runner, self.workflow_run, self.data = runner, run, data
        self.machine, self.workspace, self.temp = machine, machine / "workspace", machine / "temp"
        self.job = Job()
        permissions = dict(data.get("permissions", {}))
        self.permissions = READ_ONLY if run.fork else permissions
        self.environment: dict[str, str] = {}
        """What actions add to the environment of later steps."""

    def work(self) -> Job:
        needs = {name: self.workflow_run.jobs[name] for name in needed(self.data)}
        contexts = self._contexts(needs)
        fine = all(job.result == "success" for job in needs.values())
        if not holds(self.data.get("if"), contexts, _status(failed=not fine)):
            return self.job
        if not self._approved():
            self.job.result = "failure"
            return self.job
        self.temp.mkdir(parents=True)
        self.workspace.mkdir()
        contexts["github"]["token"] = self.runner.api.token(self.permissions)
        failed, _ = self._steps(self.data["steps"], contexts)
        self.job.result = "failure" if failed else "success"
        self.job.outputs = {
            name: as_text(resolve(text, contexts)) for name, text in self.data.get("outputs", {}).items()
        }
        return self.job

    def _approved(self) -> bool:
        """Return whether the environment lets a job begin; one that is not there is made, and asks nobody."""
        name = self.data.get("environment")
        if name is None:
            return True
        rules = self.runner.api.environments.setdefault(name, [])
        asked = any(rule["type"] == "required_reviewers" and rule["reviewers"] for rule in rules)
        if asked:
            self.job.used.append(f"approval of {name}")
        return self.runner.approves or not asked

    def _contexts(self, needs: Mapping[str, Job]) -> dict[str, Any]:
        run = self.workflow_run
        return {
            "github": github(run),
            "vars": {} if run.fork else self.runner.variables,
            "runner": {"temp": str(self.temp)},
            "needs": {name: {"result": job.result, "outputs": job.outputs} for name, job in needs.items()},
            "steps": {},
        }

    def _steps(self, steps: list[Mapping[str, Any]], contexts: dict[str, Any], action: str = "") -> tuple[bool, Any]:
        """Run steps one after the other; return whether one failed, and the contexts then."""
        failed = False
        for step in steps:
            if not holds(step.get("if"), contexts, _status(failed=failed)):
                continue
            fine, outputs = self._uses(step, contexts) if "uses" in step else self._shell(step, contexts, action)
            outcome = "success" if fine else "failure"
            contexts["steps"][step.get("id", "")] = {"outputs": outputs, "outcome": outcome}
            failed = failed or not (fine or step.get("continue-on-error") is True)
        return failed, contexts

    def _uses(self, step: Mapping[str, Any], contexts: dict[str, Any]) -> tuple[bool, dict[str, str]]:
        name, _, commit = step["uses"].partition("@")
        inputs = {key: as_text(resolve(value, contexts)) for key, value in step.get("with", {}).items()}
        if name.startswith("./"):
            return self._composite(name, inputs, contexts)
        assert len(commit) == 40, f"{name} is not pinned to a commit"
        self.job.used.append(name)
        return _USES[name](self, inputs), {}

    def _composite(
        self, name: str, given: Mapping[str, str], contexts: Mapping[str, Any]
    ) -> tuple[bool, dict[str, str]]:
        folder = self.workspace / name
        data = yaml.safe_load((folder / "action.yml").read_text())
        assert given.keys() <= data["inputs"].keys(), (
            f"{name} has no such input: {given.keys() - data['inputs'].keys()}"
        )
        inputs = {key: as_text(resolve(spec.get("default", ""), contexts)) for key, spec in data["inputs"].items()}
        own = {**contexts, "inputs": {**inputs, **given}, "steps": {}}
        failed, own = self._steps(data["runs"]["steps"], own, str(folder))
        outputs = {key: as_text(resolve(spec["value"], own)) for key, spec in data.get("outputs", {}).items()}
        return not failed, outputs

    def _shell(self, step: Mapping[str, Any], contexts: Mapping[str, Any], action: str) -> tuple[bool, dict[str, str]]:
        assert "${{" not in step["run"], "what an expression stands for would be read as shell"
        assert step["shell"] == "bash"
        outputs, summary = self.machine / "outputs", self.machine / "summary"
        outputs.write_text("")
        summary.write_text("")
        own = {key: as_text(resolve(value, contexts)) for key, value in step.get("env", {}).items()}
        script = self.machine / "script.sh"
        script.write_text(step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            env={**self._environment(action), **self.environment, **own},
        )  # fmt: skip
        token = contexts["github"]["token"]
        assert token not in done.stdout + summary.read_text(), "the token was told"
        self.job.log += f"--- {step.get('name', '')}: {done.returncode}\n{done.stdout}"
        self.job.summary += summary.read_text()
        pairs = (line.partition("=") for line in outputs.read_text().splitlines())
        return done.returncode == 0, {name: value for name, _, value in pairs}

    def _environment(self, action: str) -> dict[str, str]:
        run = self.workflow_run
        event = self.machine / "event.json"
        event.write_text(json.dumps(run.payload))
        return {
            "PATH": f"{self.runner.folder / 'bin'}:{self.runner.programs}:/usr/bin:/bin", "HOME": str(self.machine), "CI": "true",
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": self.runner.api.url, "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": str(run.id), "GITHUB_SHA": run.commit,
            "GITHUB_RUN_ATTEMPT": str(run.attempt),
            "GITHUB_REF": run.ref, "GITHUB_REF_NAME": run.ref.split("/", 2)[2], "GITHUB_EVENT_NAME": run.event,
            "GITHUB_EVENT_PATH": str(event), "GITHUB_OUTPUT": str(self.machine / "outputs"),
            "GITHUB_STEP_SUMMARY": str(self.machine / "summary"), "GITHUB_ACTION_PATH": action,
            "RUNNER_TEMP": str(self.temp), "PIP_LOG_OF_TEST": str(self.machine / "pip"),
            "NO_PROXY": "127.0.0.1,localhost", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        }  # fmt: skip

    def checkout(self, inputs: Mapping[str, str]) -> bool:
        assert inputs == {"persist-credentials": "false"}
        assert self.permissions.get("contents") == "read"
        self.runner.repository.checkout(self.workflow_run.commit, self.workspace)
        return True

    def configure_aws(self, inputs: Mapping[str, str]) -> bool:
        if self.permissions.get("id-token") != "write" or not inputs["role-to-assume"]:
            return False
        subject = f"repo:{REPOSITORY}:{self._subject()}"
        self.job.used.append(subject)
        session = self.runner.credentials(inputs["role-to-assume"], subject)
        self.environment |= {**session, "AWS_REGION": inputs["aws-region"]}
        return True

    def _subject(self) -> str:
        """Return what the token of the job says of it (GitHub's reference of OpenID Connect, "sub")."""
        if environment := self.data.get("environment"):
            return f"environment:{environment}"
        return "pull_request" if self.workflow_run.event == "pull_request" else f"ref:{self.workflow_run.ref}"

    def upload(self, inputs: Mapping[str, str]) -> bool:
        path = Path(inputs["path"])
        if not path.is_file():
            return inputs.get("if-no-files-found") != "error"
        overwrite = inputs.get("overwrite") == "true"
        return self.runner.api.keep(
            self.workflow_run.id, inputs["name"], {path.name: path.read_bytes()}, overwrite=overwrite
        )  # fmt: skip

    def download(self, inputs: Mapping[str, str]) -> bool:
        for found in self.runner.api.artifacts.values():
            if (found["run"], found["name"]) == (self.workflow_run.id, inputs["name"]):
                with zipfile.ZipFile(io.BytesIO(found["zip"])) as archive:
                    archive.extractall(inputs["path"])
                return True
        return False

    def scan(self, inputs: Mapping[str, str]) -> bool:
        assert self.permissions.get("security-events") == "write"
        json.loads(Path(inputs["sarif_file"]).read_text())
        return True


_USES: Mapping[str, Callable[[_Worker, Mapping[str, str]], bool]] = {
    "actions/checkout": _Worker.checkout,
    "actions/setup-python": lambda _, inputs: inputs.keys() == {"python-version"},
    "actions/upload-artifact": _Worker.upload,
    "actions/download-artifact": _Worker.download,
    "aws-actions/configure-aws-credentials": _Worker.configure_aws,
    "github/codeql-action/upload-sarif": _Worker.scan,
}
"""What the actions of others do, as far as it matters here."""


def github(run: Run) -> dict[str, Any]:
    """Return the context `github` of a run."""
    return {
        "event": {"repository": {"default_branch": "main"}, **run.payload}, "event_name": run.event, "ref": run.ref,
        "ref_name": run.ref.split("/", 2)[2], "ref_type": "tag" if run.ref.startswith("refs/tags/") else "branch",
        "sha": run.commit, "repository": REPOSITORY, "run_id": run.id, "run_attempt": run.attempt,
    }  # fmt: skip


def _nothing() -> None:
    pass


def needed(job: Mapping[str, Any]) -> list[str]:
    """Return the names of the jobs that a job waits for."""
    found = job.get("needs", [])
    return [found] if isinstance(found, str) else list(found)


def _status(*, failed: bool) -> dict[str, bool]:
    return {"success": not failed, "failure": failed, "always": True, "cancelled": False}


def write_python(folder: Path) -> None:
    """Make a `python` that notes what it should install, and does nothing else."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "python"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> "$PIP_LOG_OF_TEST"\n')
    program.chmod(0o755)
