"""Both stores keep the promises of the port: conditional writes, ages by their own clock, logs in order."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from reconciler.aws.store import S3Store
from reconciler.errors import StoreError
from reconciler.sandbox.scenario import SOURCE, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.store import FileStore
from tests.stores import BUCKET, Kept


def test_only_the_first_creates_an_entry(kept: Kept) -> None:
    store = kept.store
    assert store.read("locks/a/1.json") is None
    etag = store.create("locks/a/1.json", b"one")
    assert store.create("locks/a/1.json", b"two") is None
    entry = store.read("locks/a/1.json")
    assert entry is not None
    assert (entry.content, entry.etag) == (b"one", etag)


def test_an_entry_is_replaced_only_as_the_one_that_was_read(kept: Kept) -> None:
    store = kept.store
    first = store.create("locks/a/1.json", b"one")
    assert first is not None
    second = store.replace("locks/a/1.json", b"two", first)
    assert second is not None
    assert store.replace("locks/a/1.json", b"three", first) is None
    assert store.replace("locks/a/none.json", b"three", first) is None
    entry = store.read("locks/a/1.json")
    assert entry is not None
    assert (entry.content, entry.etag) == (b"two", second)


def test_the_age_of_an_entry_is_the_stores_to_tell_and_begins_anew_with_each_write(kept: Kept) -> None:
    etag = kept.store.create("locks/a/1.json", b"one")
    assert etag is not None
    kept.age("locks/a/1.json", 100)
    entry = kept.store.read("locks/a/1.json")
    assert entry is not None
    assert 98 < entry.age < 200
    kept.store.replace("locks/a/1.json", b"two", etag)
    entry = kept.store.read("locks/a/1.json")
    assert entry is not None
    assert entry.age < 98


def test_keys_are_found_below_their_prefix_only(kept: Kept) -> None:
    for key in ("locks/a/2.json", "locks/a/1.json", "locks/ab/1.json"):
        kept.store.create(key, b"x")
    kept.store.append("history/a/1", b"{}")
    assert kept.store.keys("locks/a/") == ("locks/a/1.json", "locks/a/2.json")
    assert kept.store.keys("locks/none/") == ()


def test_a_log_keeps_the_order_of_its_lines_beside_other_logs(kept: Kept) -> None:
    lines = tuple(f"line {number}".encode() for number in range(12))
    for line in lines:
        kept.store.append("history/a/1", line)
        kept.store.append("history/a/2", b"other")
    assert kept.store.lines("history/a/1") == lines
    assert kept.store.lines("history/a/1", ends=True) == (lines[0], lines[-1])
    assert kept.store.lines("history/a/2", ends=True) == (b"other", b"other")
    assert kept.store.lines("history/a/none") == ()
    assert kept.store.logs("history/a/") == ("history/a/1", "history/a/2")
    assert kept.store.logs("history/none/") == ()


def test_a_write_whose_answer_was_lost_is_still_ours(sandbox: Sandbox, scenario: Scenario) -> None:
    root_client(sandbox, "s3", SOURCE).create_bucket(Bucket=BUCKET)
    store = S3Store(f"s3://{BUCKET}")
    # The repetition of a write finds the first attempt in its way.
    assert store.create("locks/a/1.json", b"mine") == store.create("locks/a/1.json", b"mine")
    etag = store.create("locks/a/2.json", b"first")
    assert etag is not None
    assert store.replace("locks/a/2.json", b"second", etag) == store.replace("locks/a/2.json", b"second", etag)


def test_files_are_for_their_owner_only_and_no_part_of_a_repository(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "deep" / ".xgrant")
    store.create("locks/a/1.json", b"x")
    store.append("history/a/1", b"{}")
    folder = tmp_path / "deep" / ".xgrant"
    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.name != ".gitignore":
            assert mode == (0o700 if path.is_dir() else 0o600), path
    assert (folder / ".gitignore").read_text() == "*\n"
    assert not list(folder.rglob("*.new"))


def test_a_system_without_file_locks_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(StoreError, match=r"say `store: s3://BUCKET/PREFIX` in the manifest"):
        FileStore(tmp_path).create("locks/a/1.json", b"x")
    assert FileStore(tmp_path).read("locks/a/1.json") is None


def test_a_guard_that_is_not_given_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.store import guard

    monkeypatch.setattr(guard, "PATIENCE", 0)
    with (
        guard.guarded(tmp_path / ".guard", "here"),
        pytest.raises(StoreError, match="another process"),
        guard.guarded(tmp_path / ".guard", "here"),
    ):
        pass


def test_a_folder_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"run xgrant where it can write, or keep them elsewhere"):
        FileStore(tmp_path / "file").create("locks/a/1.json", b"x")


def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no key"):
        FileStore(tmp_path).read("locks/../../1.json")


def test_a_missing_bucket_and_a_refusal_say_what_to_do(scenario: Scenario, sandbox: Sandbox) -> None:
    with pytest.raises(StoreError, match=r"NoSuchBucket.*make the bucket, or mend `store`"):
        S3Store("s3://nowhere").read("locks/a/1.json")
    root_client(sandbox, "s3", SOURCE).create_bucket(Bucket=BUCKET)
    sandbox.enforce(on=True)
    store = S3Store(f"s3://{BUCKET}/p")
    for call in (
        lambda: store.read("a"),
        lambda: store.create("a", b""),
        lambda: store.keys("a/"),
    ):
        with pytest.raises(StoreError, match=r"AccessDenied.*allow s3:GetObject and s3:PutObject .* s3:ListBucket"):
            call()


def test_an_s3_that_is_not_there_is_a_store_error(monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="check the network, and AWS_ENDPOINT_URL"):
        S3Store("s3://nowhere").read("a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(StoreError, match="no credentials were found"):
        S3Store("s3://nowhere").read("a")
