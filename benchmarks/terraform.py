"""Terraform with the AWS provider, from plugins that are on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
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

PLUGINS = "BENCH_TERRAFORM_PLUGINS"
"""The environment variable that names the plugin directory, if it is none of the usual ones."""

_USUAL = (
    "~/.terraform.d/plugins", "~/.terraform.d/plugin-cache", "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins", "/usr/lib/terraform/plugins", "/opt/*plugins*",
)  # fmt: skip


class Terraform:
    """Terraform; one resource of each kind for all grants of an account, by `for_each`."""

    name = "Terraform"
    most = 200
    rounds = 2

    def __init__(self) -> None:
        """Find it; AbsentError where it or its provider is not here."""
        found = shutil.which("terraform")
        if found is None:
            raise AbsentError("no terraform in PATH")
        self._binary = found
        self._plugins, self._provider = _plugins()

    def version(self) -> str:
        """Return the versions of Terraform and of the provider."""
        told = subprocess.run(
            [self._binary, "version", "-json"], check=True, capture_output=True, env=_environment()
        ).stdout
        return f"Terraform {json.loads(told)['terraform_version']}, provider aws {self._provider}"

    def prepare(self, folder: Path, workload: Workload) -> None:
        """Write the configuration and initialise the folder."""
        (folder / "main.tf.json").write_text(json.dumps(configuration(workload, self._provider)), encoding="utf-8")
        self.initialise(folder)

    def initialise(self, folder: Path) -> None:
        """Initialise a folder that has a configuration."""
        subprocess.run(
            [self._binary, "init", "-input=false", f"-plugin-dir={self._plugins}"],
            cwd=folder, check=True, capture_output=True, env=_environment(),
        )  # fmt: skip

    def plan(self, folder: Path) -> Command:
        """Return the command that plans."""
        return self._command(folder, "plan", "-detailed-exitcode")

    def apply(self, folder: Path) -> Command:
        """Return the command that applies."""
        return self._command(folder, "apply", "-auto-approve")

    def validate(self, folder: Path) -> str:
        """Return what Terraform says against the configuration of an initialised folder; nothing if it is valid."""
        argv = [self._binary, "validate", "-json"]
        told = subprocess.run(argv, cwd=folder, check=False, capture_output=True, env=_environment()).stdout
        return "\n".join(found["summary"] for found in json.loads(told)["diagnostics"])

    def _command(self, folder: Path, name: str, option: str) -> Command:
        argv = (self._binary, name, option, "-input=false", "-no-color")
        return Command(argv, folder, {"CHECKPOINT_DISABLE": "1"})


def configuration(workload: Workload, version: str) -> dict[str, Any]:
    """Return the grants as Terraform's JSON: a provider alias for each account, roles, their policies, the groups'."""
    resources: dict[str, dict[str, Any]] = {"aws_iam_role": {}, "aws_iam_role_policy": {}, "aws_iam_group_policy": {}}
    for number in range(workload.accounts):
        into = {grant.name: grant for grant in workload.grants if grant.target == number}
        out = {grant.name: grant for grant in workload.grants if grant.source == number}
        alias, provider = account_name(number), f"aws.{account_name(number)}"
        if into:
            resources["aws_iam_role"][alias] = {
                "provider": provider,
                "for_each": {name: json.dumps(trust_policy(grant)) for name, grant in into.items()},
                "name": "${each.key}",
                "assume_role_policy": "${each.value}",
            }
            resources["aws_iam_role_policy"][alias] = {
                "provider": provider,
                "for_each": {name: json.dumps(permissions(grant)) for name, grant in into.items()},
                "name": "permissions",
                "role": f"${{aws_iam_role.{alias}[each.key].name}}",
                "policy": "${each.value}",
            }
        if out:
            target = account_name(next(iter(out.values())).target)
            resources["aws_iam_group_policy"][alias] = {
                "provider": provider,
                "for_each": {
                    name: {"group": grant.group, "policy": json.dumps(caller_policy(grant))}
                    for name, grant in out.items()
                },
                "name": "${each.key}",
                "group": "${each.value.group}",
                "policy": "${each.value.policy}",
                "depends_on": [f"aws_iam_role.{target}"],
            }
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": version}}},
        "provider": {"aws": list(_providers(workload))},
        "resource": {kind: each for kind, each in resources.items() if each},
    }


def _providers(workload: Workload) -> Iterator[dict[str, Any]]:
    for number in range(workload.accounts):
        yield {
            "alias": account_name(number),
            "region": "us-east-1",
            "assume_role": [{"role_arn": f"arn:aws:iam::{account_id(number)}:role/{RECONCILER}"}],
            "skip_metadata_api_check": "true",
            "skip_credentials_validation": True,
            "skip_requesting_account_id": True,
            "skip_region_validation": True,
        }


def _plugins() -> tuple[Path, str]:
    """Return the plugin directory and the newest version of the provider in it."""
    named = os.environ.get(PLUGINS)
    for pattern in (named,) if named else _USUAL:
        place = Path(pattern).expanduser()
        for base in sorted(Path("/").glob(str(place).lstrip("/"))):
            found = base.glob("*/hashicorp/aws/*/*/terraform-provider-aws*")
            versions = [path.parents[1].name for path in found]
            if versions:
                return base, max(versions, key=lambda text: [int(part) for part in text.split(".") if part.isdigit()])
    raise AbsentError(f"no plugin directory with the provider hashicorp/aws; name one in {PLUGINS}")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "TF_CLI_CONFIG_FILE"}
    return kept | {"CHECKPOINT_DISABLE": "1"}
