"""Reads the pages of a JSON API into a JSON lines file of ours; repairs nothing."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from etl_pipeline.contracts.model import Extract
from etl_pipeline.core.errors import RetryStepError, UsageError
from etl_pipeline.core.settings import redact, remember_secrets

MOST_PAGES = 10_000
MOST_BYTES = 256 << 20
TRIES = 4
TRY_AGAIN = {429, 500, 502, 503, 504}


def _get(session: requests.Session, url: str) -> Any:
    """Get one page; wait and try again when the server asks for it. Redirects are not followed."""
    reason = "no answer"
    for attempt in range(TRIES):
        try:
            answer = session.get(url, timeout=30, allow_redirects=False)
        except requests.RequestException as error:
            reason = type(error).__name__
        else:
            if answer.status_code == requests.codes.ok:
                if len(answer.content) > MOST_BYTES:
                    raise RetryStepError(
                        f"{redact(url)} sent a page of over {MOST_BYTES >> 20} MB; ask for smaller pages."
                    )
                return answer.json()
            reason = f"status {answer.status_code}"
            if answer.status_code not in TRY_AGAIN:
                break
        time.sleep(min(30.0, float(2**attempt) / 4))
    raise RetryStepError(f"{redact(url)} could not be read: {reason}. Check the address, the token and the service.")


def _field(page: Any, path: str) -> Any:
    for name in filter(None, path.split(".")):
        page = page.get(name) if isinstance(page, dict) else None
    return page


def _pages(session: requests.Session, start: str, extract: Extract) -> Iterator[Any]:
    url: str | None = start
    seen: set[str] = set()
    while url:
        if url in seen or len(seen) >= MOST_PAGES:
            raise RetryStepError(f"{redact(start)}: the pages run in a circle or never end; check `next_page`.")
        seen.add(url)
        page = _get(session, url)
        yield page
        following = _field(page, extract.next_page) if extract.next_page else None
        url = urljoin(url, str(following)) if following else None
        if url and urlsplit(url).netloc != urlsplit(start).netloc:
            raise RetryStepError(f"{redact(start)}: the next page lies on another host; it is not followed.")


def extract_api(feed: str, extract: Extract, url: str, folder: Path, environ: Mapping[str, str]) -> Path:
    """Write every record of an API to `folder/<feed>.jsonl`, one a line, and return it.

    Raises:
        UsageError: the token's variable is not set.
        RetryStepError: the service does not answer as it should.
    """
    session = requests.Session()
    if extract.token_env:
        token = environ.get(extract.token_env, "")
        if not token:
            raise UsageError(f"Feed '{feed}' needs {extract.token_env}; set it in the environment or in .env.")
        remember_secrets(token, is_secret=True)
        session.headers["Authorization"] = f"Bearer {token}"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{feed}.jsonl"
    part = target.with_suffix(".part")
    start = urljoin(url.rstrip("/") + "/", (extract.path or "").lstrip("/")) if extract.path else url
    with part.open("w", encoding="utf-8") as stream:
        for page in _pages(session, start, extract):
            records = _field(page, extract.records)
            for record in records if isinstance(records, list) else [records]:
                stream.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
    part.replace(target)
    return target
