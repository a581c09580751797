"""A runner of GitLab's pipelines: the jobs of the template whose rules are met, each script by bash."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.aws.bootstrap_support import token
from tests.pipelines.actions import write_python
from tests.pipelines.gitlab_api import PROJECT, TOKEN, GitLabApi
from tests.pipelines.repository import Repository

PATH = "acme/platform/iam"


class _Loader(yaml.SafeLoader):
    """YAML with GitLab's `!reference`, as a tuple."""


def _reference(loader: yaml.SafeLoader, node: Any) -> tuple[str, ...]:
    return tuple(loader.construct_sequence(node))


_Loader.add_constructor("!reference", _reference)


@dataclass
class Job:
    """What a job came to."""

    status: str
    log: str
    artifacts: dict[str, bytes] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


class Runner:
    """Runs the pipelines of a project; `variables` are those of its settings."""

    def __init__(
        self, folder: Path, programs: Path, repository: Repository, api: GitLabApi, variables: Mapping[str, str]
    ) -> None:
        self.folder, self.programs, self.repository, self.api = folder, programs, repository, api
        self.variables = dict(variables)
        self._known: dict[int, tuple[str, str, dict[str, str], dict[str, Job]]] = {}
        write_python(folder)

    def pipeline(self, source: str, ref: str, commit: str, *, manual: bool = False, **more: str) -> dict[str, Job]:
        """Run a pipeline; jobs that are started by hand only with `manual`."""
        number = self.api.number()
        known = {"CI_PIPELINE_SOURCE": source, "CI_PIPELINE_ID": str(number), **more}
        if source != "merge_request_event":
            known["CI_COMMIT_BRANCH"] = ref
        self.api.pipelines[number] = {
            "id": number, "ref": ref, "sha": commit, "source": source,
            "web_url": f"https://gitlab.com/{PATH}/-/pipelines/{number}",
        }  # fmt: skip
        if iid := more.get("CI_MERGE_REQUEST_IID"):
            self.api.requests[int(iid)]["head_pipeline"] = {"id": number, "source": source}
        jobs = self._jobs(commit)
        assert workflow_begins(self.repository.read(commit, ".gitlab-ci.yml"), {**self._all(commit), **known})
        done: dict[str, Job] = {}
        self._known[number] = (ref, commit, known, done)
        # All are there from the beginning, those that wait for others or for somebody, too.
        for name, job in jobs.items():
            if _wanted(job["rules"], {**self._all(commit), **known}, manual=True):
                self._note(self.api.number(), name, number, Job("created", ""))
        for name, job in jobs.items():
            if not _wanted(job["rules"], {**self._all(commit), **known}, manual=manual):
                continue
            if all(done[need].status == "success" for need in job.get("needs", [])):
                done[name] = self._job(name, job, number, ref, commit, {**self._all(commit), **known}, done)
        return done

    def retry(self, name: str, pipeline: int = 0) -> Job:
        """Run a job of a pipeline again, by default of the newest one."""
        number = pipeline or max(self._known)
        ref, commit, known, done = self._known[number]
        job = self._jobs(commit)[name]
        done[name] = self._job(name, job, number, ref, commit, {**self._all(commit), **known}, done)
        return done[name]

    def _jobs(self, commit: str) -> dict[str, dict[str, Any]]:
        return jobs_of(self.repository.read(commit, ".gitlab-ci.yml"))

    def _all(self, commit: str) -> dict[str, str]:
        return {
            "CI": "true", "GITLAB_CI": "true", "CI_API_V4_URL": self.api.base, "CI_PROJECT_ID": str(PROJECT),
            "CI_COMMIT_SHA": commit, "CI_DEFAULT_BRANCH": "main", "GITLAB_TOKEN": TOKEN, **self.variables,
        }  # fmt: skip

    def _job(
        self, name: str, job: Mapping[str, Any], pipeline: int, ref: str, commit: str, known: Mapping[str, str],
        done: Mapping[str, Job],
    ) -> Job:  # fmt: skip
        number = self.api.number()
        workspace = self.folder / f"job-{number}"
        self.repository.checkout(commit, workspace)
        # Variables of the job are weaker than those of the project and of the pipeline ("CI/CD variable precedence").
        own = dict(known) | {"CI_JOB_ID": str(number), "CI_JOB_URL": f"https://gitlab.com/{PATH}/-/jobs/{number}"}
        for need in job.get("needs", []):
            own |= done[need].variables
            for file, content in done[need].artifacts.items():
                (workspace / file).write_bytes(content)
        for key, value in job.get("variables", {}).items():
            own.setdefault(key, re.sub(r"\$(\w+)", lambda found: own.get(found[1], ""), value))
        for key in job.get("id_tokens", {}):
            claims = {"ref_protected": "true" if ref == "main" else "false"}
            subject = f"project_path:{PATH}:ref_type:branch:ref:{ref}"
            own[key] = token(subject, audience=job["id_tokens"][key]["aud"], host="gitlab.com", **claims)
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join([*job["before_script"], *job["script"]])],
            cwd=workspace, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            env={
                "PATH": f"{self.folder / 'bin'}:{self.programs}:/usr/bin:/bin", "HOME": str(workspace), **own,
                "PIP_LOG_OF_TEST": str(self.folder / "pip"), "NO_PROXY": "127.0.0.1",
                "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"], "AWS_EC2_METADATA_DISABLED": "true",
            },
        )  # fmt: skip
        assert TOKEN not in ran.stdout, "the token was told"
        found = Job("success" if ran.returncode == 0 else "failed", f"{ran.stdout}\nexit {ran.returncode}")
        _keep(job.get("artifacts", {}), workspace, found)
        self._note(number, name, pipeline, found)
        return found

    def _note(self, number: int, name: str, pipeline: int, job: Job) -> None:
        self.api.jobs[number] = {
            "id": number, "name": name, "status": job.status, "pipeline": pipeline, "artifacts": job.artifacts,
            "finished_at": self.api.now(),
        }  # fmt: skip


def _keep(artifacts: Mapping[str, Any], workspace: Path, job: Job) -> None:
    if job.status != "success" and artifacts.get("when") != "always":
        return
    reports = artifacts.get("reports", {})
    for file in (*artifacts.get("paths", ()), *reports.values()):
        if (workspace / file).is_file():
            job.artifacts[file] = (workspace / file).read_bytes()
    if "dotenv" in reports:
        job.variables = dict(line.split("=", 1) for line in (workspace / reports["dotenv"]).read_text().splitlines())


def template(path: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs of a template, with what they extend and refer to."""
    return jobs_of(path.read_text())


def jobs_of(text: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of the text of a template, as `template`."""
    data = yaml.load(text, _Loader)
    return {name: _whole(data, name) for name in data if name.startswith("xgrant-")}


def workflow_begins(text: str, known: Mapping[str, str]) -> bool:
    """Return whether `workflow: rules` of a template let a pipeline begin."""
    data = yaml.load(text, _Loader)
    return "workflow" in data and _wanted(data["workflow"]["rules"], known, manual=False)


def _whole(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    own = data[name]
    whole = _whole(data, own["extends"]) if "extends" in own else {}
    for key, value in own.items():
        whole[key] = {**whole[key], **value} if isinstance(value, dict) and key in whole else value
    whole["before_script"] = [*_lines(data, whole["before_script"])]
    return whole


def _lines(data: Mapping[str, Any], script: list[Any]) -> Iterator[str]:
    for line in script:
        if isinstance(line, tuple):
            name, key = line
            yield from _whole(data, name)[key]
        else:
            yield line


def _wanted(rules: list[Mapping[str, str]], known: Mapping[str, str], *, manual: bool) -> bool:
    """Return whether the first rule that is met lets a job run."""
    for rule in rules:
        if all(_met(part.strip(), known) for part in rule["if"].split("&&")):
            return rule.get("when") != "manual" or manual
    return False


def _met(comparison: str, known: Mapping[str, str]) -> bool:
    left, right = (part.strip() for part in comparison.split("=="))
    return _value(left, known) == _value(right, known)


def _value(text: str, known: Mapping[str, str]) -> str | None:
    return known.get(text[1:]) if text.startswith("$") else text.strip('"')
