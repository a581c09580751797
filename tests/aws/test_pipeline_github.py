"""The workflows that users copy, from a pull request to what is applied, with the roles of the bootstrap only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox.scenario import CLEARED, SOURCE, root_client
from reconciler.sandbox.server import Sandbox
from tests.aws.bootstrap_support import BUCKET, OPS, deployed
from tests.pipelines.github_api import GitHubApi
from tests.pipelines.world import World, grant, new_world


@pytest.fixture
def world(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    _, options = deployed(sandbox)
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.url)
    sandbox.enforce(on=True)
    with GitHubApi() as api:
        yield new_world(tmp_path, sandbox, api, options)


def test_a_pull_request_is_planned_reviewed_merged_and_applied(world: World) -> None:
    number = world.pull("reports", grant("reports"))
    planned = world.plan(number)
    assert planned.results() == {"validate": "success", "plan": "success", "code-scanning": "skipped"}, planned
