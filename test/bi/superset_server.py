"""Superset as start.sh starts it, on a free port, and what is asked of it over its API."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import requests

START = Path(__file__).resolve().parents[2] / "data_warehouse" / "bi" / "start.sh"
PATIENCE = 400.0  # seconds: the first start makes Superset's own database


class Asking:
    """Somebody who is logged in as the administrator and asks over the API."""

    def __init__(self, address: str, password: str) -> None:
        self.address = address
        self._session = requests.Session()
        who = {"username": "admin", "password": password, "provider": "db", "refresh": False}
        answer = requests.post(f"{address}/api/v1/security/login", json=who, timeout=60)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ask(self, path: str) -> Any:
        """Return what an address of the API answers, as JSON."""
        answer = self._session.get(f"{self.address}/api/v1/{path}", timeout=120)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json()

    def rows_by_chart(self) -> dict[str, int]:
        """Return how many rows each chart gets."""
        charts = self.ask("chart/?q=(page_size:100)")["result"]
        told = {chart["slice_name"]: self.ask(f"chart/{chart['id']}/data/")["result"] for chart in charts}
        return {name: sum(answer["rowcount"] for answer in answers) for name, answers in told.items()}


class Superset:
    """A server of its own folder, with secrets that live as long as it does."""

    def __init__(self, commands: Path, folder: Path, warehouse_url: str) -> None:
        self.log = folder / "superset.log"
        self.address = f"http://127.0.0.1:{_free_port()}"
        self.password = secrets.token_urlsafe(20)
        self.environment = {
            "PATH": os.pathsep.join([str(commands), os.environ["PATH"]]),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "SUPERSET_HOME": str(folder),
            "SUPERSET_SECRET_KEY": secrets.token_urlsafe(42),
            "SYSTOCK_BI_ADMIN_PASSWORD": self.password,
            "SYSTOCK_BI_BIND": self.address.removeprefix("http://"),
            "SYSTOCK_BI_URL": warehouse_url,
        }
        self._asking: Asking | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it is well; then log in."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["bash", str(START)], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not self._is_well():
            assert self._process.poll() is None, f"Superset did not start:\n{self.told()[-3000:]}"
            assert time.monotonic() < deadline, f"Superset is not well after {PATIENCE:.0f} s:\n{self.told()[-3000:]}"
            time.sleep(1)
        self._asking = Asking(self.address, self.password)

    def stop(self) -> int | None:
        """End the server and what it started; return its exit code."""
        if self._process is None:
            return None
        ended, self._process = self._process, None
        ended.terminate()
        try:
            return ended.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(ended.pid, signal.SIGKILL)  # whatever did not go with it
            ended.wait(30)

    def ask(self, path: str) -> Any:
        """Return what an address of the API answers, as JSON."""
        return self.as_admin.ask(path)

    @property
    def as_admin(self) -> Asking:
        assert self._asking is not None, "it is not started"
        return self._asking

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _is_well(self) -> bool:
        try:
            return requests.get(f"{self.address}/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
