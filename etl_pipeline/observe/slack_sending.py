"""Sends a message to a Slack webhook: in bounded time, and never with the address in a word of what is told."""

import logging
import math
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import requests

log = logging.getLogger(__name__)
LONGEST_CALL = 10.0
MOST_READ = 2_000
OK, TOO_MANY, FIRST_REFUSAL, FIRST_FAULT = 200, 429, 400, 500
WORTH_ANOTHER_TRY = frozenset({408, 425, TOO_MANY})
LONGEST_WAIT, SHORTEST_WAIT = 3_600.0, 1.0
Outcome = Literal["sent", "later", "never", "unknown"]
_NEVER_CONNECTED = ("NewConnectionError", "NameResolutionError", "SSLError", "ProxyError")
_REFUSALS = {
    400: "Slack could not read the message. Please report it, with the message from ops.outbox.",
    403: "Slack refuses the webhook. Ask who keeps the Slack app, and set SLACK_WEBHOOK_URL anew.",
    404: "There is no such webhook. Make a new one, and set SLACK_WEBHOOK_URL.",
    410: "The channel of the webhook is archived. Make a new webhook, and set SLACK_WEBHOOK_URL.",
}


@dataclass(frozen=True)
class Attempt:
    """What came of a call.

    Attributes:
        outcome: sent; later: it did not arrive, and may work then; never: it will not work; unknown: perhaps it did.
        reason: why not, for a person.
        wait_seconds: how long Slack asks us to wait; None where it says nothing.
    """

    outcome: Outcome
    reason: str = ""
    wait_seconds: float | None = None


def send(url: str, message: dict[str, Any], *, timeout: float = LONGEST_CALL, now: datetime | None = None) -> Attempt:
    """Send a message; return what came of it within the time, whatever the other side does.

    A server that answers a byte a second holds up no one: the call is left to itself, and its outcome is unknown.

    Args:
        url: the webhook.
        message: as `slack_message.compose` makes it.
        timeout: seconds for all of it.
        now: what time it is, for a Retry-After that names a date.
    """
    if not url.lower().startswith(("https://", "http://")):
        return Attempt("never", "SLACK_WEBHOOK_URL is no address: it begins with https://hooks.slack.com/services/")
    found: list[Attempt] = []
    caller = threading.Thread(target=lambda: found.append(_call(url, message, timeout, now)), daemon=True)
    caller.start()
    caller.join(timeout)
    return found[0] if found else Attempt("unknown", f"Slack gave no answer within {timeout:.0f} s.")


def _call(url: str, message: dict[str, Any], timeout: float, now: datetime | None) -> Attempt:
    try:
        with requests.Session() as session:
            session.auth = _no_login  # not what a .netrc has for the host
            # A redirect would take the message to somewhere that nobody named.
            with session.post(
                url, json=message, timeout=(timeout / 2, timeout), allow_redirects=False, stream=True
            ) as answer:
                said = answer.raw.read(MOST_READ, decode_content=False).decode("utf-8", "replace")
                return _judged(answer.status_code, said, answer.headers.get("Retry-After"), now)
    except requests.exceptions.ConnectTimeout:
        return Attempt("later", "Slack could not be reached in time.")
    except requests.exceptions.Timeout:
        return Attempt("unknown", "Slack did not answer in time.")
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        return Attempt("never", "SLACK_WEBHOOK_URL is no address that can be called.")
    except requests.exceptions.ConnectionError as error:
        # Its text holds the path, which is the secret.
        if any(name in repr(error) for name in _NEVER_CONNECTED):
            return Attempt("later", "Slack could not be reached.")
        return Attempt("unknown", "The connection to Slack was cut.")
    except Exception as error:  # whatever a library makes of garbage must not end a run
        return Attempt("unknown", f"Slack's answer could not be read ({type(error).__name__}).")


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _judged(status: int, said: str, retry_after: str | None, now: datetime | None) -> Attempt:
    if status == OK:
        is_slack = said.strip() == "ok"
        return Attempt("sent", "" if is_slack else "The answer was not Slack's `ok`.")
    if status in WORTH_ANOTHER_TRY:
        return Attempt("later", f"Slack asks to wait (HTTP {status}).", _seconds(retry_after, now))
    if FIRST_REFUSAL <= status < FIRST_FAULT:
        return Attempt("never", f"{_REFUSALS.get(status, 'Slack refuses the message.')} (HTTP {status})")
    if status >= FIRST_FAULT:
        return Attempt("later", f"Slack has a fault of its own (HTTP {status}).", _seconds(retry_after, now))
    return Attempt("never", f"What answers at SLACK_WEBHOOK_URL is no webhook (HTTP {status}).")


def _seconds(retry_after: str | None, now: datetime | None) -> float | None:
    """Read a Retry-After, seconds or a date; nonsense counts as nothing said."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after or "")
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - now).total_seconds() if now else SHORTEST_WAIT
    return min(LONGEST_WAIT, max(SHORTEST_WAIT, seconds)) if math.isfinite(seconds) else None
