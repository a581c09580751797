"""Permissions that are tried by a session where an organization denies all regions but its own."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reconciler.aws import Caller, Trier
from reconciler.model import Check, Probe, Session

OURS = "eu-central-1"
SESSION = Session("ASIA" + "A" * 16, "secret", "token", "2099-01-01T00:00:00Z", "arn:aws:sts::1:assumed-role/reader/x")
DENIED = "x is not authorized to perform: x with an explicit deny in a service control policy"
JSON = f'{{"__type": "AccessDeniedException", "message": "{DENIED}"}}'
XML = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{DENIED}</Message></Error></ErrorResponse>"


class Endpoint(BaseHTTPRequestHandler):
    """What answers in one region, and says in all others what an SCP denies."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        region, service = re.findall(r"Credential=[^/]+/[^/]+/([^/]+)/([^/]+)", self.headers["Authorization"])[0]
        self.send_response(200 if region == OURS else 403)
        self.end_headers()
        self.wfile.write(("{}" if region == OURS else XML if service == "iam" else JSON).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def tried(region: str, probe: Probe) -> Check | None:
    return Trier(SESSION, "storage", "aws", region, lambda _: None).attempt(probe, lists=True)


@pytest.mark.parametrize(
    ("region", "action", "allowed"),
    [
        pytest.param(OURS, "logs:DescribeLogGroups", True, id="the profile's"),
        pytest.param("eu-west-1", "logs:DescribeLogGroups", False, id="another that the profile says"),
        pytest.param("", "logs:DescribeLogGroups", None, id="a guess"),
        pytest.param("", "iam:ListRoles", False, id="of IAM, which has one"),
    ],
)
def test_what_names_no_region_is_tried_in_that_of_the_profile_and_a_guess_proves_nothing(
    region: str, action: str, *, allowed: bool | None
) -> None:
    check = tried(region, Probe(action, "*", meant=True))
    assert check is not None
    assert check.allowed is allowed
    assert ("set region in the profile" in check.why) is (allowed is None)


@pytest.mark.parametrize(
    ("region", "partition", "found"), [(OURS, "aws", OURS), ("cn-north-1", "aws", ""), ("", "aws", "")]
)
def test_the_region_of_a_profile_counts_in_its_own_partition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str, partition: str, found: str
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    config = tmp_path / "config"
    config.write_text(
        f"[profile me]\naws_access_key_id = AKIA{'A' * 16}\naws_secret_access_key = secret\n"
        + (f"region = {region}\n" if region else "")
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert Caller("me", partition, lambda _: None, lambda serial: serial).region() == found
