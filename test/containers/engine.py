"""A Docker engine to test with: the one that answers, or one of our own; and the base images, pulled or made here."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
DEBIAN = "systock-test-debian:bookworm"
STAND_INS = {"python:3.11-slim": "python.Dockerfile", "postgres:18": "postgres.Dockerfile"}
PACKAGES = "python3,python3-venv,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
WHAT_TO_INSTALL = (
    "The container test needs a Docker engine and docker-compose or its plugin, and root where no engine answers yet. "
    "On Debian: apt-get install --no-install-recommends docker.io docker-compose iptables debootstrap"
)


class NoEngineError(Exception):
    """There is nothing to test with; the text says what to install."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers.

    Attributes:
        environ: what its client needs.
        compose: the command of Compose.
        stand_ins: images that were made here in the place of published ones.
    """

    environ: Mapping[str, str]
    compose: tuple[str, ...] = ()
    stand_ins: list[str] = field(default_factory=list)

    def run(self, *command: str, patience: float = 900) -> str:
        """Run a command against the engine and return its output; its errors are shown when it fails."""
        return self.read(*command, patience=patience).decode(errors="replace")

    def read(self, *command: str, patience: float = 900) -> bytes:
        """The same, with the bytes as they come."""
        done = subprocess.run(command, env=dict(self.environ), capture_output=True, timeout=patience, check=False)
        if done.returncode:
            out, said = (told[-3000:].decode(errors="replace") for told in (done.stdout, done.stderr))
            raise AssertionError(f"{' '.join(command[:6])} ended with {done.returncode}:\n{out}\n{said}")
        return done.stdout

    def docker(self, *arguments: str, patience: float = 900) -> str:
        """Run the client of Docker."""
        return self.run("docker", *arguments, patience=patience)

    def has(self, image: str) -> bool:
        """Tell whether the engine has an image."""
        return bool(self.docker("images", "--quiet", image).strip())


def answers(environ: Mapping[str, str]) -> bool:
    """Tell whether a Docker engine can be spoken to."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info"], env=dict(environ), capture_output=True, timeout=60, check=False)
    return asked.returncode == 0


def compose_command(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return how Compose is called here.

    Raises:
        NoEngineError: it is not installed.
    """
    asked = subprocess.run(
        ["docker", "compose", "version"], env=dict(environ), capture_output=True, timeout=60, check=False
    )
    if asked.returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise NoEngineError(WHAT_TO_INSTALL)


@contextmanager
def engine() -> Iterator[Engine]:
    """Yield the engine that answers, or one of our own, which is gone afterwards with all that it kept.

    Raises:
        NoEngineError: there is none, and none can be started.
    """
    environ = dict(os.environ)
    if answers(environ):
        yield Engine(environ, compose_command(environ))
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise NoEngineError(WHAT_TO_INSTALL)
    firewall = _firewall()
    folder = Path(tempfile.mkdtemp(prefix="systock-dockerd-"))
    socket = f"unix://{folder}/d.sock"
    settings = {
        "data-root": f"{folder}/data", "exec-root": f"{folder}/exec", "pidfile": f"{folder}/d.pid", "hosts": [socket],
        "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 20000, "Soft": 20000}},
    }  # fmt: skip
    (folder / "dockerd.json").write_text(json.dumps(settings))
    environ["DOCKER_HOST"] = socket
    with (folder / "dockerd.log").open("wb") as log:
        server = subprocess.Popen(
            ["dockerd", "--config-file", str(folder / "dockerd.json")], stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(environ, server, folder / "dockerd.log")
            yield Engine(environ, compose_command(environ))
        finally:
            server.terminate()
            server.wait(timeout=60)
            _forget(folder, firewall)


def _wait_for(environ: Mapping[str, str], server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(120):
        if answers(environ):
            return
        if server.poll() is not None:
            break
        time.sleep(0.5)
    raise NoEngineError(f"dockerd does not start here:\n{log.read_text(errors='replace')[-2000:]}")


def _forget(folder: Path, firewall: dict[str, bytes] | None) -> None:
    """Take away what an engine of our own leaves: mounts, files, its bridge and its rules of the firewall."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if f" {folder}/" in line]
    for mount in sorted(mounts, reverse=True):
        subprocess.run(["umount", mount], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
    if firewall is not None:
        subprocess.run(["ip", "link", "delete", "docker0"], check=False, capture_output=True)
        for table, rules in firewall.items():
            subprocess.run(["iptables-restore", "-T", table], input=rules, check=False, capture_output=True)


def _firewall() -> dict[str, bytes] | None:
    """Return the firewall's rules by table, as they are before an engine; None where another one has put its own in."""
    if Path("/sys/class/net/docker0").exists():
        return None
    rules = {}
    for table in ("filter", "nat"):
        subprocess.run(["iptables", "-t", table, "-S"], check=False, capture_output=True)  # or an empty one is not told
        rules[table] = subprocess.run(["iptables-save", "-t", table], check=False, capture_output=True).stdout
    return rules


def have_base_images(found: Engine) -> None:
    """Have the images that ours are built from: those the engine has, published ones, or stand-ins made here."""
    for image, recipe in STAND_INS.items():
        if found.has(image):
            continue
        pulled = subprocess.run(
            ["docker", "pull", "--quiet", image], env=dict(found.environ), capture_output=True, timeout=600, check=False
        )
        if pulled.returncode:
            _have_debian(found)
            _build(found, image, recipe)
            found.stand_ins.append(image)


def _have_debian(found: Engine) -> None:
    if found.has(DEBIAN):
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise NoEngineError(f"No image can be pulled, and none can be made without root. {WHAT_TO_INSTALL}")
    with tempfile.TemporaryDirectory(prefix="systock-debian-") as folder:
        found.run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", folder)
        for kept in ("var/cache/apt", "var/lib/apt/lists"):  # published images come without them, too
            shutil.rmtree(Path(folder, kept))
            Path(folder, kept).mkdir()
        packed = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
        try:
            subprocess.run(
                ["docker", "import", "-", DEBIAN], env=dict(found.environ), stdin=packed.stdout, check=True,
                capture_output=True, timeout=600,
            )  # fmt: skip
        finally:
            packed.wait()
    found.stand_ins.append(DEBIAN)


def _build(found: Engine, image: str, recipe: str) -> None:
    with tempfile.TemporaryDirectory(prefix="systock-image-") as folder:
        shutil.copy(IMAGES / recipe, Path(folder, "Dockerfile"))
        shutil.copy(IMAGES / "entrypoint.sh", folder)
        if CERTIFICATES.exists():
            shutil.copy(CERTIFICATES, Path(folder, "certificates.crt"))
        found.docker("build", "--quiet", "--tag", image, folder)
