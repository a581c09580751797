"""Where locks and history are kept: in one place for the same manifests, from wherever xgrant is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.pipeline.stores import store_folder


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XGRANT_FOLDER")


@pytest.mark.parametrize("named", ["manifests", "manifests/team", "manifests/team/a.yaml", "manifests/new.yaml"])
def test_it_lies_at_the_top_of_the_git_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    (tmp_path / "manifests" / "team").mkdir(parents=True)
    (tmp_path / "manifests" / "team" / "a.yaml").touch()
    (tmp_path / ".git").mkdir()
    for where in (tmp_path, tmp_path / "manifests", tmp_path / "manifests" / "team"):
        monkeypatch.chdir(where)
        assert store_folder(str(tmp_path / named)) == tmp_path / ".xgrant"
    monkeypatch.chdir(tmp_path)
    assert store_folder(named) == tmp_path / ".xgrant"


def test_elsewhere_it_lies_where_it_is_already_or_beside_what_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "live" / "manifests").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "live")
    assert store_folder("manifests") == tmp_path / "live" / ".xgrant"
    assert store_folder("manifests/a.yaml") == tmp_path / "live" / "manifests" / ".xgrant"
    (tmp_path / "live" / ".xgrant").mkdir()
    assert store_folder("manifests/a.yaml") == tmp_path / "live" / ".xgrant"
    assert store_folder(str(tmp_path / "live" / "manifests")) == tmp_path / "live" / ".xgrant"


def test_the_environment_names_one_for_all_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XGRANT_FOLDER", str(tmp_path / "shared"))
    assert store_folder("manifests") == tmp_path / "shared"
