"""How the clients of AWS are made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.aws.clients import light_session

THE_TIME = datetime(2026, 1, 31, 12, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:01:02Z",
        "2026-01-31T12:01:02.000Z",
        "2026-01-31T13:01:02+01:00",
        "2026-01-31T12:01:02",
        "Sat, 31 Jan 2026 12:01:02 GMT",
        int(THE_TIME.timestamp()),
        str(int(THE_TIME.timestamp())),
    ],
)
def test_every_spelling_of_a_time_is_the_same_time(text: str | int) -> None:
    parser = light_session().get_component("response_parser_factory").create_parser("query")
    assert parser._timestamp_parser(text).astimezone(UTC) == THE_TIME
