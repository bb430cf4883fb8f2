"""How Snowflake is reached: a URL as snowflake-sqlalchemy writes it, or the usual SNOWFLAKE_ settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from etl_pipeline.core.errors import UsageError

SCHEME = "snowflake://"
DATABASE = "SYSTOCK_DATABASE_URL"
KEEPER = "SYSTOCK_KEEPER_URL"
ENGINE = "SYSTOCK_ENGINE"
EXTRA = "pip install 'systock[snowflake]'"
NETWORK_SECONDS = 600
"""After that long without an answer a statement has failed; without a limit the connector would wait for ever."""
_NAMES = {
    "account": "SNOWFLAKE_ACCOUNT", "user": "SNOWFLAKE_USER", "password": "SNOWFLAKE_PASSWORD",
    "database": "SNOWFLAKE_DATABASE", "warehouse": "SNOWFLAKE_WAREHOUSE", "role": "SNOWFLAKE_ROLE",
    "private_key_path": "SNOWFLAKE_PRIVATE_KEY_PATH", "private_key_passphrase": "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
    "host": "SNOWFLAKE_HOST", "port": "SNOWFLAKE_PORT", "protocol": "SNOWFLAKE_PROTOCOL",
}  # fmt: skip
_REQUIRED = ("account", "user", "database")


@dataclass(frozen=True)
class SnowflakeAccess:
    """An account, a database in it, and who asks.

    Attributes:
        account: as in the address before .snowflakecomputing.com.
        user: who logs in.
        database: where the schemas lie.
        password: or else `private_key_path`.
        private_key_path: a PEM file with the private half of a key pair.
        private_key_passphrase: of that file, where it has one.
        warehouse: what computes; the user's default where it is None.
        role: the user's default where it is None.
        host: where it is not account.snowflakecomputing.com: a private link, or the stand-in of the tests.
        port: likewise.
        protocol: http for the stand-in.
    """

    account: str
    user: str
    database: str
    password: str | None = field(default=None, repr=False)
    private_key_path: Path | None = None
    private_key_passphrase: str | None = field(default=None, repr=False)
    warehouse: str | None = None
    role: str | None = None
    host: str | None = None
    port: int | None = None
    protocol: str | None = None

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return f"{SCHEME}{self.user}@{self.account}/{self.database}"

    def as_settings(self) -> dict[str, str]:
        """The same by the names of the settings, for dbt."""
        return {name: str(value) for part, name in _NAMES.items() if (value := getattr(self, part)) is not None}

    def arguments(self) -> dict[str, Any]:
        """What `connect` of the connector takes.

        Raises:
            UsageError: the key's file is not there.
        """
        found: dict[str, Any] = {
            "account": self.account, "user": self.user, "database": self.database, "warehouse": self.warehouse,
            "role": self.role, "password": self.password, "host": self.host, "port": self.port,
            "protocol": self.protocol, "network_timeout": NETWORK_SECONDS, "application": "systock",
            "session_parameters": {"TIMEZONE": "UTC", "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
        }  # fmt: skip
        if self.private_key_path is not None:
            if not self.private_key_path.is_file():
                raise UsageError(
                    f"SNOWFLAKE_PRIVATE_KEY_PATH names {self.private_key_path}, and no file is there. Name the PEM "
                    "file with the private half of the key pair."
                )
            found |= {"authenticator": "SNOWFLAKE_JWT", "private_key_file": str(self.private_key_path)}
            found["private_key_file_pwd"] = self.private_key_passphrase
        return {name: value for name, value in found.items() if value is not None}


def is_snowflake(url: str | None) -> bool:
    """Tell whether a URL names Snowflake."""
    return url is not None and url.lower().startswith(SCHEME)


def asks_for_snowflake(url: str | None, values: Mapping[str, str]) -> bool:
    """Tell whether Snowflake is asked for: by a URL, or by its settings where no URL and no other engine is named."""
    if url is not None:
        return is_snowflake(url)
    return bool(values.get(_NAMES["account"])) and values.get(ENGINE, "").strip().lower() != "postgres"


def snowflake_access(url: str | None, values: Mapping[str, str]) -> SnowflakeAccess | None:
    """Return how Snowflake is reached, or None where nothing asks for it; a URL's parts win over the settings.

    Args:
        url: SYSTOCK_DATABASE_URL or the option; one of PostgreSQL means that Snowflake is not asked for.
        values: environment and `.env`.

    Raises:
        UsageError: it is asked for, and something is missing or cannot be; each missing setting is named.
    """
    if not asks_for_snowflake(url, values):
        return None
    told = {part: values[name] for part, name in _NAMES.items() if values.get(name)}
    if url is not None:
        told |= _parts(url)
    missing = [_NAMES[part] for part in _REQUIRED if not told.get(part)]
    if not told.get("password") and not told.get("private_key_path"):
        missing.append("SNOWFLAKE_PASSWORD (or SNOWFLAKE_PRIVATE_KEY_PATH)")
    if missing:
        raise UsageError(
            f"Snowflake is asked for, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. Set "
            f"them, or write SYSTOCK_DATABASE_URL={SCHEME}user:password@account/database?warehouse=W&role=R"
        )
    port = told.get("port")
    if port is not None and not port.isdigit():
        raise UsageError("The port of Snowflake is no number. Correct SNOWFLAKE_PORT, or leave it out.")
    key = told.get("private_key_path")
    return SnowflakeAccess(
        told["account"], told["user"], told["database"],
        # A key pair is what somebody set up for a machine: it is taken where both are there.
        password=None if key else told.get("password"),
        private_key_path=Path(key).expanduser() if key else None,
        private_key_passphrase=told.get("private_key_passphrase"),
        warehouse=told.get("warehouse"), role=told.get("role"), host=told.get("host"),
        port=int(port) if port else None, protocol=told.get("protocol"),
    )  # fmt: skip


def _parts(url: str) -> dict[str, str]:
    """Take snowflake://user:password@account/database?warehouse=W&role=R apart."""
    try:
        found = urlsplit(url)
        given = {
            "account": (found.hostname or "").removesuffix(".snowflakecomputing.com"),
            "user": unquote(found.username or ""),
            "password": unquote(found.password or ""),
            "database": found.path.strip("/").partition("/")[0],
            "port": str(found.port or ""),
        }
    except ValueError:  # its text would quote a part of the password
        raise UsageError(
            f"SYSTOCK_DATABASE_URL is no URL of Snowflake. Write {SCHEME}user:password@account/database?warehouse=W&"
            "role=R and percent-encode what is special in the password, or set SNOWFLAKE_PASSWORD instead."
        ) from None
    given |= {name: value for name, value in parse_qsl(found.query) if name in _NAMES}
    return {name: value for name, value in given.items() if value}
