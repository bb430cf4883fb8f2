"""Where things lie and which warehouse is meant: read once from the environment and `.env`, then handed on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from etl_pipeline.core.errors import UsageError

_URL_PASSWORD = re.compile(r"(?P<start>[a-z][a-z0-9+.-]*://[^\s:/@'\"]*):[^\s'\"]*@", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"(?P<start>\b\w*(?:password|passwd|pwd|secret|token|api_?key)['\"]?\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s&,;'\"]+)",
    re.IGNORECASE,
)
_WEBHOOK = re.compile(r"(?P<start>hooks\.slack\.com/[a-z]+/)[^\s'\"]+", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """What a run needs to know of its surroundings.

    Attributes:
        home: folder of everything we keep outside the warehouse.
        database_url: the warehouse; None means the embedded server.
        environ: environment and `.env` together, for the addresses and tokens of sources.
    """

    home: Path
    database_url: str | None = field(default=None, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def bronze_dir(self) -> Path:
        """Landed files, once each, by content."""
        return self.home / "bronze"

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
        cwd: the working directory: `.env` is read there, and a relative SYSTOCK_HOME starts there.

    Raises:
        UsageError: SYSTOCK_DATABASE_URL is no URL.
    """
    written = {name: value for name, value in dotenv_values(cwd / ".env").items() if value}
    values = {**written, **{name: value for name, value in environ.items() if value}}
    url = values.get("SYSTOCK_DATABASE_URL")
    if url is not None and "://" not in url:
        raise UsageError("SYSTOCK_DATABASE_URL is no URL. Write it as postgresql://user:password@host:5432/database.")
    if url is not None and url.startswith("postgres://"):  # libpq takes it, SQLAlchemy does not
        url = "postgresql" + url.removeprefix("postgres")
    home = Path(values.get("SYSTOCK_HOME", ".systock")).expanduser()
    return Settings(home=cwd / home, database_url=url, environ=values)


def redact(text: str) -> str:
    """Return a URL, or any text with URLs and settings in it, without its passwords."""
    text = _URL_PASSWORD.sub(r"\g<start>:***@", text)
    text = _NAMED_SECRET.sub(r"\g<start>***", text)
    return _WEBHOOK.sub(r"\g<start>***", text)
