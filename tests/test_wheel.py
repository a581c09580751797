"""The distributions carry all that they need, and work where nothing else of the project is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.wheel

MANIFEST = """\
version: 1
stack: platform
accounts: {dev: {id: "123456789012"}, storage: {id: "987654321098"}}
grants:
  reader:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    managed_policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]
"""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return folder


def test_wheel_and_sdist_carry_schemas_and_the_example(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    (sdist,) = distributions.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    with tarfile.open(sdist) as archive_:
        members = {name.split("/", 1)[-1] for name in archive_.getnames()}
    for file in ("schemas/manifest.schema.json", "schemas/plan.schema.json", "manifests/shared-bucket.yaml"):
        assert f"reconciler/{file}" in names
        assert file in members
    assert "reconciler/py.typed" in names
    assert "reconciler/starter/github/dot-github/workflows/xgrant-merge.yml" in names
    assert not any(name.startswith("tests/") for name in names)


def test_the_wheel_validates_in_an_empty_environment_from_another_directory(
    distributions: Path, tmp_path: Path
) -> None:
    (wheel,) = distributions.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    subprocess.run(
        [binaries / "python", "-m", "pip", "install", "--quiet", str(wheel)], check=True, capture_output=True
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "m.yaml").write_text(MANIFEST)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [binaries / "xgrant", *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("validate", "m.yaml").stdout == "valid: stack platform, 1 grant, 2 accounts\n"
    (elsewhere / "m.yaml").write_text(MANIFEST + "nonsense: 1\n")
    refused = run("validate", "m.yaml")
    assert (refused.returncode, refused.stderr.split(" ")[:2]) == (3, ["m.yaml:9:1:", "XG010"])
    demo = run("demo")
    assert demo.returncode == 64
    assert ".[sandbox]" in demo.stderr
