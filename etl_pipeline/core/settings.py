"""Where things lie and which warehouse is meant: read once from the environment and `.env`, then handed on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from dotenv import dotenv_values

from etl_pipeline.core.bronze_store import BronzeStore
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.names import PROD, safe_name
from etl_pipeline.core.snowflake_access import DATABASE, KEEPER, SnowflakeAccess, asks_for_snowflake, snowflake_access

_URL_PASSWORD = re.compile(r"(?P<start>[a-z][a-z0-9+.-]*://[^\s:/@'\"]*):[^\s'\"]*@", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"(?P<start>\b\w*(?:password|passwd|pwd|secret|token|api_?key)['\"]?\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s&,;'\"]+)",
    re.IGNORECASE,
)
_URL = re.compile(
    r"(?P<start>[a-z][a-z0-9+.-]*://[^\s:/@]*):(?P<password>.+)@(?P<rest>[^@]*)", re.IGNORECASE | re.DOTALL
)
_QUERY_SECRET = re.compile(r"[?&](?:\w*password|token|api_?key|secret)=([^&#\s]+)", re.IGNORECASE)
# PWD and OLDPWD are the shell's folders, and what ends in FILE names one.
_SECRET_NAME = re.compile(
    r"^(?!.*_(?:file|path|dir)$).*(?:password|passwd|passphrase|_pwd$|secret|token|api_?key|webhook)", re.IGNORECASE
)
_SHORTEST_SECRET, _SHORTEST_PART = 8, 6
_known_secrets: set[str] = set()
"""Secrets that this process was given: whatever form an error of a library shows them in, the output does not."""
_WEBHOOK = re.compile(r"(?P<start>hooks\.slack(?:-gov)?\.com/[a-z]+/)[^\s'\"]+", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """What a run needs to know of its surroundings.

    Attributes:
        home: folder of everything we keep outside the warehouse.
        database_url: the warehouse, or the keeper where another one serves; None means the embedded server.
        environ: environment and `.env` together, for the addresses and tokens of sources.
        env: the environment whose own files are meant; None for prod.
        feeds: contracts to use where a command names none; None means the simulated retailer's.
        senders: the folder of received files that belongs to `feeds`.
    """

    home: Path
    database_url: str | None = field(default=None, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    env: str | None = None
    feeds: Path | None = None
    senders: Path | None = None

    @property
    def serving(self) -> SnowflakeAccess | None:
        """Snowflake, which every load is shipped to; None where PostgreSQL serves.

        Raises:
            UsageError: it is asked for, and a setting is missing.
        """
        return snowflake_access(self.environ.get(DATABASE), self.environ)

    @property
    def work_dir(self) -> Path:
        """Files of this environment's own: the page, extracts, what dbt writes; all of it goes when it is dropped."""
        return (
            self.home
            if self.env is None or self.env == PROD
            else self.home / "env" / safe_name(self.env, "environment")
        )

    @property
    def bronze(self) -> BronzeStore:
        """Landed files: an environment keeps what only it received, and reads what prod has."""
        own, prod = self.work_dir / "bronze", self.home / "bronze"
        return BronzeStore(own, None if own == prod else prod)

    @property
    def postgres_dir(self) -> Path:
        """The embedded server."""
        return self.home / "postgres"

    @property
    def inbox_dir(self) -> Path:
        """Where senders' files arrive."""
        return self.home / "inbox"

    @property
    def log_dir(self) -> Path:
        """Log files."""
        return self.home / "logs"


def load_settings(environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read the settings; an empty value counts as unset, and the environment wins over `.env`.

    Args:
        environ: the process's environment.
        cwd: the working directory: `.env` is read there, and relative folders start there.

    Raises:
        UsageError: SYSTOCK_DATABASE_URL is no URL.
    """
    written = {name: value for name, value in dotenv_values(cwd / ".env").items() if value}
    values = {**written, **{name: value for name, value in environ.items() if value}}
    for name, value in values.items():
        remember_secrets(value, is_secret=_SECRET_NAME.search(name) is not None)
        if "webhook" in name.lower():
            remember_webhook(value)
    named = KEEPER if asks_for_snowflake(values.get(DATABASE), values) else DATABASE
    url = values.get(named)
    if url is not None and "://" not in url:
        raise UsageError(f"{named} is no URL. Write it as postgresql://user:password@host:5432/database.")
    if url is not None and url.startswith("postgres://"):  # libpq takes it, SQLAlchemy does not
        url = "postgresql" + url.removeprefix("postgres")

    def folder(name: str) -> Path | None:
        return cwd / Path(values[name]).expanduser() if name in values else None

    home = folder("SYSTOCK_HOME") or cwd / ".systock"
    return Settings(home, url, values, feeds=folder("SYSTOCK_FEEDS"), senders=folder("SYSTOCK_INBOX"))


def remember_secrets(text: str, *, is_secret: bool = False) -> None:
    """Keep a secret, or the password of a URL, out of everything that is shown from now on.

    A password that is not percent-encoded breaks a URL into other parts, and libraries then complain about a part:
    so its parts count, too. Very short ones, and those that stand elsewhere in the URL, would only garble the output.

    Args:
        text: a setting's value.
        is_secret: the whole value is a secret; otherwise only the password of a URL is.
    """
    if is_secret and len(text) >= _SHORTEST_SECRET and "://" not in text:
        _known_secrets.add(text)
    if "://" in text:
        _known_secrets.update(s for s in map(unquote, _QUERY_SECRET.findall(text)) if len(s) >= _SHORTEST_PART)
    found = _URL.fullmatch(text.strip())
    if found is None:
        return
    password = found["password"]
    cuts = [cut.start() for cut in re.finditer(r"[/?#@:]", password)]
    parts = {password, unquote(password), *re.split(r"[/?#@:]", password)}
    parts |= {part for cut in cuts for part in (password[:cut], password[cut + 1 :])}
    beside = f"{found['start']} {found['rest']}".lower()
    _known_secrets.update(part for part in parts if len(part) >= _SHORTEST_PART and part.lower() not in beside)


def remember_webhook(address: str) -> None:
    """Keep the address of a webhook out of everything that is shown: who knows its path can write to the channel."""
    path = address.strip().partition("://")[2].partition("/")[2]
    parts = (address.strip(), path, path.partition("/")[2], path.rpartition("/")[2])
    _known_secrets.update(part for part in parts if len(part) >= _SHORTEST_SECRET)


def redact(text: str) -> str:
    """Return a URL, or any text with URLs and settings in it, without its passwords."""
    for secret in sorted(_known_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _URL_PASSWORD.sub(r"\g<start>:***@", text)
    text = _NAMED_SECRET.sub(r"\g<start>***", text)
    return _WEBHOOK.sub(r"\g<start>***", text)


def first_line(error: BaseException) -> str:
    """Return the first line that an error says, without passwords; the name of its kind where it says nothing."""
    return redact((str(error).strip() or type(error).__name__).splitlines()[0])
