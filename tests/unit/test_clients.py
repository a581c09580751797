"""How the clients of AWS are made."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ProxyConnectionError

from reconciler.aws.calls import Retries
from reconciler.aws.clients import Clients, light_session
from reconciler.aws.keys import Keys
from reconciler.events import Notice, Retried
from tests.conftest import Clock

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


@contextmanager
def proxy(answer: str) -> Iterator[str]:
    """Serve a proxy that answers so whatever it is asked, or one that nobody serves; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if answer:
            threading.Thread(target=_serve, args=(server, answer), daemon=True).start()
            yield f"127.0.0.1:{port}"
            server.shutdown(socket.SHUT_RDWR)  # So that nobody waits for who comes next.
            return
    yield f"127.0.0.1:{port}"


def _serve(server: socket.socket, answer: str) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("answer", "at_first", "under_way"),
    [("", 3, 120), ("503 Service Unavailable", 15, 120), ("407 Proxy Authentication Required", 0, 0)],
    ids=["nobody is there", "AWS is not reached by it", "it lets nobody through"],
)
def test_a_proxy_that_is_started_anew_is_waited_for_and_one_that_forbids_is_not(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, answer: str, at_first: int, under_way: int
) -> None:
    told: list[Notice] = []
    retries = Retries(told.append)
    with proxy(answer) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hidden@{address}")
        monkeypatch.setenv("NO_PROXY", "")
        client = Clients(retries).make("iam", "dev", "aws", Keys("AKIAEXAMPLE", "secret"))
        for waited in (at_first, under_way):
            begun = clock.monotonic()
            with pytest.raises(ProxyConnectionError):
                client.get_account_summary()
            assert clock.monotonic() - begun == waited
            retries.memory.learn(answered=["dev"])
    assert {one.endpoint for one in told if isinstance(one, Retried)} <= {f"http://{address}"}
