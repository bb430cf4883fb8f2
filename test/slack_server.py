"""A local server in Slack's place: answers as it is told, and keeps what it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "services/T0CANARY0/B0CANARY0/s3cr3tcanarypath"


@dataclass
class SlackServer:
    """What it was sent, and how it answers next.

    Attributes:
        port: of this machine.
        messages: the bodies that it was sent, in their order.
        answers: (status, headers, body) of the next calls; afterwards it answers as Slack does.
        wait: seconds until it answers.
        drip: answer a byte at a time, without an end.
    """

    port: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    wait: float = 0.0
    drip: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{PATH}"

    @property
    def titles(self) -> list[str]:
        return [message["blocks"][0]["text"]["text"] for message in self.messages]


def _handler(slack: SlackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with slack.lock:
                status, headers, said = slack.answers.pop(0) if slack.answers else (200, {}, b"ok")
                slack.messages.append(json.loads(body))
            time.sleep(slack.wait)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for _ in range(300 if slack.drip else 0):
                    self.wfile.write(b"o")
                    self.wfile.flush()
                    time.sleep(0.1)
                self.wfile.write(said)
            except OSError:
                pass  # who called has left

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    slack = SlackServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(slack))
    server.daemon_threads = True
    server.block_on_close = False
    slack.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield slack
    finally:
        server.shutdown()
        server.server_close()
