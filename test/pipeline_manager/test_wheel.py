"""What is handed on is a wheel: installed where no source is, it works in an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from etl_pipeline.core.release import RELEASE
from test.run_warehouse import REPO

pytestmark = pytest.mark.slow

PACKAGES = {"data_warehouse", "etl_pipeline", "extract", "feeds", "load", "pipeline_manager"}
LEFT_OUT = shutil.ignore_patterns("__pycache__", "target", "logs")


def pip(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *map(str, arguments)], check=True, timeout=300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing is left in this tree."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(REPO / package, source / package, ignore=LEFT_OUT)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(REPO / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", source / "dist", source)
    built: list[Path] = list((source / "dist").glob("*.whl"))
    assert len(built) == 1
    return built[0]


class Elsewhere:
    """An environment of its own with the wheel in it, and an empty folder; what SyStock needs is that of the tests."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder / "empty"
        self.folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, timeout=120)
        self.bin = folder / "venv" / "bin"
        pip("--python", self.bin / "python", "install", "--no-deps", wheel)
        [packages] = (folder / "venv" / "lib").glob("python3*/site-packages")
        # A path named in a .pth file is not searched for others, so the clone that the tests have installed stays out.
        (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYSTOCK_", "PYTHON", "PG"))}
        self.environ = kept | {"PATH": f"{self.bin}{os.pathsep}{kept['PATH']}", "COLUMNS": "120"}

    def __call__(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def elsewhere(wheel) -> Iterator[Elsewhere]:
    # Not pytest's own folder: root's server may not go below it everywhere.
    folder = Path(tempfile.mkdtemp(prefix="systock-wheel-"))
    folder.chmod(0o755)
    made = Elsewhere(folder, wheel)
    yield made
    made("systock", "stop")
    shutil.rmtree(folder)


def test_the_wheel_bears_the_release_and_holds_the_packages_and_nothing_else(wheel):
    assert wheel.name.startswith(f"systock-{RELEASE}-py3-none-any")
    with ZipFile(wheel) as opened:
        held = set(opened.namelist())
    assert {name.partition("/")[0] for name in held} == PACKAGES | {f"systock-{RELEASE}.dist-info"}
    stay = {".sh", ".psql", ".txt", ""}  # of the containers, and of developers
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=REPO, capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.splitlines() if Path(name).suffix not in stay}
    assert {name for name in held if ".dist-info/" not in name} == tracked


def test_an_empty_folder_gets_a_warehouse_by_the_main_job_and_every_command_works_in_it(elsewhere):
    assert "Start with: systock run" in elsewhere("systock", "--help")
    where = elsewhere("python", "-c", "import pipeline_manager; print(pipeline_manager.__file__)")
    assert Path(where.strip()).is_relative_to(elsewhere.bin.parent)
    told = elsewhere("python", "-m", "pipeline_manager.pipeline_flow")
    assert "9 of 9 laws kept" in told
    assert (elsewhere.folder / ".systock" / "report.html").stat().st_size > 10_000
    assert "the warehouse stands as it was" in elsewhere("systock", "run")
    assert "C-1048" in elsewhere("systock", "explain", "--product", "C-1048", "--location", "ST01")
    elsewhere("systock", "env", "create", "lab")
    assert "lab" in elsewhere("systock", "env", "list")
    assert "Z-9999" in elsewhere("systock", "quarantine", "list")
    elsewhere("systock", "feeds", "check", str(next(elsewhere.bin.parent.rglob("feeds/simulated"))))
    elsewhere("systock", "audit")
    assert "received files" in elsewhere("systock", "backup", "--out", "kept")
