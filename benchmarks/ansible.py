"""Ansible with the collection amazon.aws, in an environment of its own that is made when it is first needed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.measure import Command
from benchmarks.tools import AbsentError
from benchmarks.workload import (
    RECONCILER,
    Workload,
    account_id,
    account_name,
    caller_policy,
    permissions,
    trust_policy,
)

PACKAGES = ("ansible==12.*", "boto3")
"""The distribution `ansible` brings ansible-core and the collections."""


class Ansible:
    """Ansible; a playbook with a task for each kind of resource and account, which loops over the grants."""

    name = "Ansible"
    most = 20
    rounds = 1

    def __init__(self) -> None:
        """Install it; AbsentError where it cannot be had."""
        self._home = Path(sys.prefix) / "ansible"
        ready = self._home / "ready"
        if not ready.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", self._home], check=True)
            pip = [str(self._home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
            if subprocess.run([*pip, *PACKAGES], capture_output=True, check=False).returncode != 0:
                raise AbsentError("the distribution `ansible` could not be installed")
            ready.touch()

    def version(self) -> str:
        """Return the versions of ansible-core and of the collection."""
        core = self._told("ansible", "--version").split("core ", 1)[1].split("]", 1)[0]
        listed = json.loads(self._told("ansible-galaxy", "collection", "list", "amazon.aws", "--format", "json"))
        (collection,) = {each["amazon.aws"]["version"] for each in listed.values()}
        return f"ansible-core {core}, amazon.aws {collection}"

    def prepare(self, folder: Path, workload: Workload) -> None:
        """Write the playbook; YAML takes JSON."""
        (folder / "play.yaml").write_text(json.dumps(playbook(workload)), encoding="utf-8")

    def plan(self, folder: Path) -> Command:
        """Return the command that runs the playbook in check mode."""
        return replace(self._command(folder, "--check"), says="changed=0")

    def apply(self, folder: Path) -> Command:
        """Return the command that runs the playbook."""
        return self._command(folder)

    def _command(self, folder: Path, *options: str) -> Command:
        binary = str(self._home / "bin" / "ansible-playbook")
        environment = {
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_HOME": str(folder / ".ansible"),
            "LC_ALL": "C.UTF-8",
        }
        python = f"ansible_python_interpreter={self._home / 'bin' / 'python'}"
        argv = (binary, "-i", "localhost,", "-c", "local", "-e", python, "play.yaml", *options)
        return Command(argv, folder, environment)

    def _told(self, *argv: str) -> str:
        command = [str(self._home / "bin" / argv[0]), *argv[1:]]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def playbook(workload: Workload) -> list[dict[str, Any]]:
    """Return the grants as a playbook: credentials of both accounts first, then roles, their policies, the groups'."""
    keys = {
        number: {
            f"{key}_key" if key != "session" else "session_token": f"{{{{ keys_{number}.sts_creds.{name} }}}}"
            for key, name in (
                ("access", "access_key"), ("secret", "secret_key"), ("session", "session_token"),
            )
        }
        for number in range(workload.accounts)
    }  # fmt: skip
    tasks: list[dict[str, Any]] = [
        {
            "amazon.aws.sts_assume_role": {
                "role_arn": f"arn:aws:iam::{account_id(number)}:role/{RECONCILER}", "role_session_name": "ansible",
            },
            "check_mode": False,
            "changed_when": False,
            "register": f"keys_{number}",
        }
        for number in range(workload.accounts)
    ]  # fmt: skip
    for number in range(workload.accounts):
        into = [grant for grant in workload.grants if grant.target == number]
        if into:
            roles = {"name": "{{ item.name }}", "assume_role_policy_document": "{{ item.trust }}", "wait": False}
            items = [{"name": grant.name, "trust": json.dumps(trust_policy(grant))} for grant in into]
            tasks.append({"amazon.aws.iam_role": {**roles, **keys[number]}, "loop": items})
            tasks.append(_policies("role", keys[number], [(g.name, "permissions", permissions(g)) for g in into]))
    for number in range(workload.accounts):
        out = [grant for grant in workload.grants if grant.source == number]
        if out:
            tasks.append(_policies("group", keys[number], [(g.group, g.name, caller_policy(g)) for g in out]))
    for task, label in zip(tasks, range(len(tasks)), strict=True):
        task["name"] = f"{account_name(0)} and others, step {label}"
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]


def _policies(kind: str, keys: dict[str, str], items: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    policy = {"iam_type": kind, "iam_name": "{{ item.on }}", "policy_name": "{{ item.name }}",
              "policy_json": "{{ item.document }}"}  # fmt: skip
    loop = [{"on": on, "name": name, "document": json.dumps(document)} for on, name, document in items]
    return {"amazon.aws.iam_policy": {**policy, **keys}, "loop": loop}
