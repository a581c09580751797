"""What is wrong with the AWS configuration of this machine is an error that says where to mend it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox.scenario import CLEARED, SOURCE
from tests.conftest import EXAMPLE, Run


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x" * 16)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


@pytest.fixture
def https() -> Iterator[str]:
    """A server that ends every TLS handshake; a bundle of certificates is read before it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"])
@pytest.mark.parametrize("url", ["nonsense", "http://", "http://x:abc"])
def test_an_endpoint_that_is_no_url_names_the_variable(
    xgrant: Run, monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, url)
    result = xgrant("plan", EXAMPLE)
    assert (result.code, "internal error" in result.err) == (1, False)
    assert "xgrant: 2 accounts (dev, storage): account <name>: client: InvalidEndpoint: " in result.err
    assert "; mend AWS_ENDPOINT_URL, or endpoint_url in the AWS configuration file" in result.err


@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        ("[default]\nendpoint_url = nonsense\n", "InvalidEndpoint: Invalid endpoint: nonsense; mend AWS_ENDPOINT_URL"),
        ("[default\nx", "; mend that file; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name others"),
        ("[default]\ns3 =\n  addressing_style = x\n", "; mend it in the environment, or in the AWS configuration file"),
    ],
)
def test_a_configuration_file_that_is_wrong_says_what_to_mend(
    xgrant: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configuration: str, says: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    (tmp_path / "aws-config").write_text(configuration)
    result = xgrant("plan", EXAMPLE)
    assert (result.code, says in result.err) == (1, True), result.err


def test_a_region_that_is_none_says_what_to_mend(xgrant: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only a profile that assumes a role needs a region of its own."""
    (tmp_path / "aws-config").write_text(
        "[profile p]\nregion = not a region\nsource_profile = base\n"
        f"role_arn = arn:aws:iam::{SOURCE}:role/x\n[profile base]\naws_access_key_id = x\naws_secret_access_key = y\n"
    )
    manifest = tmp_path / "m.yaml"
    manifest.write_text(
        f'version: 1\nstack: s\naccounts:\n  dev: {{id: "{SOURCE}", profile: p}}\ngrants: {{}}\n', encoding="utf-8"
    )
    result = xgrant("plan", manifest)
    assert (result.code, "InvalidRegionError" in result.err) == (1, True), result.err
    assert "; mend AWS_DEFAULT_REGION, or region in the AWS configuration file" in result.err


def test_a_bundle_of_certificates_that_is_none_names_its_variable(
    xgrant: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, https: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", https)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    result = xgrant("plan", EXAMPLE)
    assert (result.code, "SSLError" in result.err) == (1, True), result.err
    assert "; check AWS_CA_BUNDLE, or ca_bundle in the AWS configuration file" in result.err
