"""How accounts are reached, and what stops before anything is read."""

from __future__ import annotations

import gc
import io
import json
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from reconciler.aws.calls import Retries
from reconciler.aws.clients import IDLE_CLIENTS, REGIONS, Clients
from reconciler.aws.keys import Keys
from reconciler.aws.sessions import Connections
from reconciler.data import data_path
from reconciler.errors import AwsError
from reconciler.manifest import load
from reconciler.model import Access, Account
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted
from tests.conftest import EXAMPLE, Clock, Run

HEAD = f'version: 1\nstack: platform\naccounts:\n  dev: {{id: "{SOURCE}"%s}}\n  storage: {{id: "{TARGET}"%s}}\n'
GRANT = """\
grants:
  reader:
    from: {account: dev, groups: [developers]}
    to: {account: storage}
    permissions: [{actions: "s3:GetObject", resources: "*"}]
"""


def write(folder: Path, dev: str, storage: str) -> Path:
    file = folder / "m.yaml"
    file.write_text(HEAD % (dev, storage) + GRANT)
    return file


def test_with_credentials_of_another_account_nothing_of_the_account_is_read(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = write(tmp_path, "", "")
    result = xgrant("plan", file)
    assert result.code == 6
    assert f"the manifest says that storage is {TARGET}, but its credentials are of {SOURCE}" in result.err
    assert f"arn:aws:iam::{SOURCE}:user/operator" in result.err
    assert "nothing of it was read or changed" in result.err
    calls = counted(sandbox.recorder.take())
    assert (calls["GetCallerIdentity"], calls["GetAccountAuthorizationDetails"]) == (2, 1)


def test_the_callers_own_credentials_and_a_profile_reach_an_account(
    scenario: Scenario, xgrant: Run, tmp_path: Path
) -> None:
    keys = scenario.assume("operator", f"arn:aws:iam::{TARGET}:role/xgrant-reconciler")
    (tmp_path / "aws-credentials").write_text(
        f"[store]\naws_access_key_id={keys.access_key}\naws_secret_access_key={keys.secret_key}\n"
        f"aws_session_token={keys.token}\n"
    )
    file = write(tmp_path, "", ", profile: store")
    assert xgrant("apply", file, "--auto-approve").code == 0
    assert xgrant("plan", file, "--detailed-exitcode").code == 0


def test_an_external_id_is_sent_when_the_role_is_assumed(
    scenario: Scenario, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bodies: list[bytes] = []
    application = sandbox.recorder._application

    def spy(environ: dict[str, Any], start: Any) -> Any:
        bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)))
        environ["wsgi.input"] = io.BytesIO(bodies[-1])
        return application(environ, start)

    monkeypatch.setattr(sandbox.recorder, "_application", spy)
    role = ", assume_role: {name: xgrant-reconciler, external_id: secret-handshake}"
    manifest = load([str(write(tmp_path, role, role))])
    connections = Connections("platform")
    for account in manifest.accounts.values():
        with connections.client(account):
            pass
    assumed = [body for body in bodies if b"Action=AssumeRole" in body]
    assert len(assumed) == 2
    for body in assumed:
        assert b"ExternalId=secret-handshake" in body
        assert b"RoleSessionName=xgrant-platform" in body
        assert b"DurationSeconds=3600" in body


def test_every_partition_has_a_region_of_its_own() -> None:
    session = botocore.session.Session()
    assert {session.get_partition_for_region(region) for region in REGIONS.values()} == set(REGIONS)
    assert all(session.get_partition_for_region(region) == partition for partition, region in REGIONS.items())
    schema = json.loads(data_path("schemas/manifest.schema.json").read_text(encoding="utf-8"))
    assert set(schema["$defs"]["account"]["properties"]["partition"]["enum"]) == set(REGIONS)


def test_a_client_is_made_once_for_each_account_though_many_ask_at_the_same_time(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    accounts = [*load([str(EXAMPLE)]).accounts.values()] * 20
    connections = Connections("platform")

    def ask(account: Account) -> tuple[str, int]:
        with connections.client(account) as iam:
            iam.get_account_summary()
            return account.name, id(iam)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, accounts))
    assert len(found) == 2
    calls = counted(sandbox.recorder.take())
    assert calls == {"AssumeRole": 2, "GetAccountSummary": 40}


def test_an_account_that_waits_for_its_credentials_keeps_no_other_waiting(
    scenario: Scenario, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev, storage = load([str(EXAMPLE)]).accounts.values()
    connections = Connections("platform")
    other_is_done, application = threading.Event(), sandbox.recorder._application
    waited = []

    def slow(environ: dict[str, Any], start: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if SOURCE.encode() in body:
            waited.append(other_is_done.wait(10))
        return application(environ, start)

    monkeypatch.setattr(sandbox.recorder, "_application", slow)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: connections.client(dev).__enter__())
        with connections.client(storage):
            other_is_done.set()
        asked.result()
    assert waited == [True]


def test_why_an_account_cannot_be_reached_is_found_out_once_and_said_each_time(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    missing = Account("storage", TARGET, access=Access(role="nobody"))
    sandbox.enforce(on=True)
    connections = Connections("platform")
    said = set()
    for _ in range(3):
        with pytest.raises(AwsError, match=f"the role arn:aws:iam::{TARGET}:role/nobody has to exist") as caught:
            connections.client(missing).__enter__()
        said.add(str(caught.value))
    assert len(said) == 1
    assert counted(sandbox.recorder.take()) == {"AssumeRole": 1}


def test_of_many_clients_those_in_use_are_kept_and_the_ones_that_were_used_last() -> None:
    clients, made = Clients(Retries(lambda _: None)), []
    keys = Keys("AKIA", "secret")

    def use(name: str) -> AbstractContextManager[Any]:
        return clients.use(name, keys, lambda: clients.make("iam", name, "aws", keys))

    with use("pinned") as pinned:
        kept = weakref.ref(pinned)
        for number in range(199):
            with use(f"a{number}") as iam:
                made.append(weakref.ref(iam))
        del iam, pinned
        gc.collect()
        assert kept() is not None
        assert [ref() is not None for ref in made] == [False] * (199 - IDLE_CLIENTS) + [True] * IDLE_CLIENTS


def test_a_client_whose_keys_are_renewed_while_somebody_uses_it_is_let_go_afterwards() -> None:
    clients = Clients(Retries(lambda _: None))

    def use(keys: Keys) -> AbstractContextManager[Any]:
        return clients.use("dev", keys, lambda: clients.make("iam", "dev", "aws", keys))

    with use(Keys("AKIA", "old")) as old:
        with use(Keys("AKIA", "new")) as new:
            assert new is not old
        ref = weakref.ref(old)
        del old
        gc.collect()
        assert ref() is not None
    gc.collect()
    assert ref() is None
    with use(Keys("AKIA", "new")) as again:
        assert again is new


def test_who_comes_back_to_an_account_whose_client_was_let_go_is_asked_for_no_credentials(
    scenario: Scenario, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.aws.clients.IDLE_CLIENTS", 0)
    dev, _ = load([str(EXAMPLE)]).accounts.values()
    connections = Connections("platform")
    for _ in range(2):
        with connections.client(dev) as iam:
            iam.get_account_summary()
    assert counted(sandbox.recorder.take()) == {"AssumeRole": 1, "GetAccountSummary": 2}


@pytest.mark.parametrize(
    ("access", "words"),
    [
        (", profile: nowhere", "name a profile that the AWS configuration files have"),
        (", profile: empty", "the profile empty holds no credentials"),
    ],
)
def test_a_profile_that_leads_nowhere_is_named_with_what_to_do(
    scenario: Scenario, xgrant: Run, tmp_path: Path, access: str, words: str
) -> None:
    (tmp_path / "aws-config").write_text("[profile empty]\nregion = us-east-1\n")
    result = xgrant("plan", write(tmp_path, "", access))
    assert result.code == 6
    assert "account storage" in result.err
    assert words in result.err


def test_without_credentials_it_is_said_once_of_all_accounts(
    scenario: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = xgrant("plan", EXAMPLE)
    assert result.code == 1
    (line,) = result.err.splitlines()
    assert line.startswith("xgrant: 2 accounts (dev, storage): account <name>: ")
    assert "no credentials were found; log in" in line


def test_a_role_that_may_not_be_assumed_is_named_with_what_to_do(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    root_client(sandbox, "iam", SOURCE).delete_user_policy(UserName="operator", PolicyName="operate")
    sandbox.enforce(on=True)
    result = xgrant("plan", EXAMPLE)
    assert result.code == 1
    assert f"the role arn:aws:iam::{TARGET}:role/xgrant-reconciler has to exist" in result.err


def test_an_endpoint_that_nobody_serves_is_an_error_with_a_way_out(
    scenario: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    before = clock.now
    result = xgrant("plan", EXAMPLE)
    assert result.code == 1
    assert 3 <= clock.now - before <= 10  # Both accounts wait, and this clock counts both.
    assert "AssumeRole: waiting for http://127.0.0.1:1: connection refused; try 2 in" in result.err
    assert "check the network, and AWS_ENDPOINT_URL" in result.err
    assert "Traceback" not in result.err


def test_no_secret_is_in_what_is_printed(scenario: Scenario, xgrant: Run) -> None:
    outputs = [xgrant("plan", EXAMPLE), xgrant("apply", EXAMPLE, "--auto-approve"), xgrant("plan", "/nowhere")]
    text = "".join(result.out + result.err for result in outputs)
    for keys in scenario.users.values():
        assert keys.access_key not in text
        assert keys.secret_key not in text
