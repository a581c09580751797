"""A repository as a user of xgrant has it at GitHub, and what its people do there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reconciler.bootstrap.explain import access
from reconciler.bootstrap.options import Options
from reconciler.sandbox.scenario import SOURCE, TARGET, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.starter import EXAMPLE, files
from tests.aws.bootstrap_support import OPS, environment, session, token
from tests.pipelines.actions import Run, Runner
from tests.pipelines.github_api import GitHubApi
from tests.pipelines.repository import Repository

PLAN_ROLE, APPLY_ROLE = (f"arn:aws:iam::{OPS}:role/xgrant-ci-{name}" for name in ("plan", "apply"))


def starter(host: str) -> dict[str, str]:
    """Return the files that `xgrant init` writes, without the example."""
    return {name: text for name, text in files(host, owners=["@acme/security"]).items() if name != EXAMPLE}


def manifest(options: Options, **more: Any) -> str:
    """Return the manifest that all others of the repository are beside."""
    own = yaml.safe_load(access(options))
    accounts = {"dev": {"id": SOURCE}, "storage": {"id": TARGET}}
    return json.dumps({"version": 1, "stack": "platform", "accounts": accounts, **own, **more})


def grant(name: str, resource: str = "reports", **more: Any) -> dict[str, str]:
    """Return the file of a grant."""
    found = {
        "description": "Developers read", "from": {"account": "dev", "groups": ["developers"]},
        "to": {"account": "storage"},
        "permissions": [{"actions": "s3:GetObject", "resources": f"arn:aws:s3:::{resource}/*"}], **more,
    }  # fmt: skip
    return {f"manifests/{name}.yaml": json.dumps({"version": 1, "grants": {name: found}}, indent=2)}


@dataclass
class World:
    """The repository acme/iam, with the workflows of the starter."""

    sandbox: Sandbox
    repository: Repository
    api: GitHubApi
    runner: Runner
    planned: dict[int, str] = field(default_factory=dict)
    """Which commit of a pull request was planned last."""

    def pull(self, branch: str, files: Mapping[str, str | None], *, start: str = "main", fork: bool = False) -> int:
        """Commit files to a branch and open a pull request; nothing runs yet."""
        head = self.repository.commit(branch, files, start=start)
        return self.api.pull(branch, head, repository="mallory/iam" if fork else "acme/iam")

    def push(self, number: int, files: Mapping[str, str | None]) -> None:
        """Push one more commit to a pull request."""
        head = self.api.pulls[number]["head"]
        head["sha"] = self.repository.commit(head["ref"], files)

    def plan(self, number: int, action: str = "") -> Run:
        """Run the workflow of pull requests, for what was done to one: by default opened, or what was pushed."""
        pull = self.api.pulls[number]
        if not action:
            last = self.planned.get(number)
            action = "opened" if last is None else "reopened" if last == pull["head"]["sha"] else "synchronize"
        self.planned[number] = pull["head"]["sha"]
        commit = self.repository.preview(number, pull["head"]["ref"])
        return self.runner.run(
            "xgrant-pull-request", "pull_request", {"number": number, "action": action, "pull_request": pull},
            ref=f"refs/pull/{number}/merge", commit=commit, fork=pull["head"]["repo"]["full_name"] != "acme/iam",
        )  # fmt: skip

    def merge(self, number: int, *, squash: bool = False) -> str:
        """Merge a pull request, and return the commit that main has then; nothing runs yet."""
        pull = self.api.pulls[number]
        commit = self.repository.merge(pull["head"]["ref"], squash=squash)
        pull |= {"merged_at": self.api.now(), "merge_commit_sha": commit}
        return commit

    def merged(self, commit: str) -> Run:
        """Run the workflow of merges for a commit that was pushed to main."""
        run = self.waits(commit)
        self.runner.work()
        return run

    def waits(self, commit: str) -> Run:
        """Let a commit that was pushed to main begin the workflow of merges, which waits for its turn."""
        return self.runner.start("xgrant-merge", "push", {"after": commit}, ref="refs/heads/main", commit=commit)

    def merged_grant(self, name: str, files: Mapping[str, str | None]) -> Run:
        """Open a pull request, plan, merge and apply it."""
        number = self.pull(name, files)
        self.plan(number)
        return self.merged(self.merge(number))

    def by_hand(self, workflow: str = "xgrant-merge") -> Run:
        """Run a workflow by hand on main."""
        commit = self.repository.git("rev-parse", "main")
        return self.runner.run(workflow, "workflow_dispatch", {}, ref="refs/heads/main", commit=commit)

    def without_a_store(self) -> None:
        """Let the manifests state no store, so that artifacts are all there is of reviews."""
        name = "manifests/stack.yaml"
        own = json.loads(self.repository.read("main", name))
        self.repository.commit("main", {name: json.dumps({key: own[key] for key in own if key != "store"})})

    def roles(self) -> dict[str, str]:
        """Return the roles of grants that there are, with their descriptions."""
        with self.nobody_is_held() as iam:
            return {
                role["RoleName"]: role.get("Description", "") for role in iam.list_roles(PathPrefix="/xgrant/")["Roles"]
            }

    @contextmanager
    def nobody_is_held(self) -> Iterator[Any]:
        """Give a client that changes what xgrant has made, as an administrator by hand."""
        self.sandbox.enforce(on=False)
        yield root_client(self.sandbox, "iam", TARGET)
        self.sandbox.enforce(on=True)

    def comments(self, number: int) -> list[str]:
        return [one["body"] for one in self.api.comments.values() if one["on"] == number]


def new_world(folder: Path, programs: Path, sandbox: Sandbox, api: GitHubApi, options: Options) -> World:
    """Return a repository with the starter and no grants, whose jobs get the roles of the bootstrap."""

    def credentials(role: str, subject: str) -> Mapping[str, str]:
        return environment(sandbox, session(sandbox, role.rpartition("/")[2], token(subject)))

    api.environments["production"] = [{"type": "required_reviewers", "reviewers": [{"type": "Team"}]}]
    repository = Repository(folder)
    repository.commit("main", {**starter("github"), "manifests/stack.yaml": manifest(options)})
    variables = {
        "XGRANT_PLAN_ROLE": PLAN_ROLE, "XGRANT_APPLY_ROLE": APPLY_ROLE, "XGRANT_REGION": "us-east-1",
    }  # fmt: skip
    return World(sandbox, repository, api, Runner(folder, programs, repository, api, credentials, variables))
