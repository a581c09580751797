"""The web APIs of GitHub and GitLab, with small pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipelines.github_api import GitHubApi
from tests.pipelines.gitlab_api import GitLabApi
from tests.pipelines.web import Api


@pytest.fixture
def github() -> Iterator[GitHubApi]:
    with GitHubApi() as api:
        api.page_size = 2
        yield api


@pytest.fixture
def gitlab() -> Iterator[GitLabApi]:
    with GitLabApi() as api:
        api.page_size = 2
        yield api


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as found:
        yield found
