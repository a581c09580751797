"""What the tests of grants in use share: the grants, who alice is, and a shell of hers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from reconciler.sandbox.scenario import SOURCE, Scenario

BIN = Path(sys.executable).parent
LISTED = "report.csv"
LIST = "aws s3 ls s3://my-shared-bucket"
DEVICE = f"arn:aws:iam::{SOURCE}:mfa/alice"

GRANTS = """\
version: 1
stack: platform
grants:
  with-mfa:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
    require: {mfa: true, external_id: agreed}
  with-condition:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
    trust_conditions: {StringLike: {"sts:RoleSessionName": "audit-*"}}
  with-identity:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
    trust_conditions: {StringLike: {"sts:SourceIdentity": "*"}, StringEquals: {"aws:RequestTag/Team": data}}
  of-bob:
    from: {account: dev, users: [bob]}
    to: {account: storage}
    permissions: [{actions: "s3:*", resources: "*"}]
"""


def become(scenario: Scenario, who: str) -> None:
    keys = scenario.users[who]
    Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text(
        f"[default]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
    )


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
