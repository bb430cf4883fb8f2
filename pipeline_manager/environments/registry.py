"""The registry of environments in prod's ops: who asked for one, how long it may stay, what is not finished."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2 import extensions
from psycopg2.extras import RealDictCursor

from data_warehouse.deploy import deploy_part
from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.names import PROD, Schemas

REGISTRY_FILE = "011_environment.sql"
_PLAIN = Schemas.of(None)
_READ = """
    select
        name, role, origin, state, created_at, expires_at, detached_at, base_known, contracts, created_by,
        expires_at <= statement_timestamp() as is_expired
    from ops.environment
    where name = %s or cast(%s as text) is null
    order by name
"""


@dataclass(frozen=True)
class Environment:
    """An environment beside prod, as the registry has it.

    Attributes:
        name: its name; the schemas are NAME_bronze and so on.
        role: the role that owns these, and can write nowhere else.
        origin: what it began with: `prod` or `empty`.
        state: `creating`, `ready` or `dropping`.
        created_at: when somebody asked for it.
        expires_at: from then on it takes no loads, and gc drops it.
        detached_at: when it got tables of its own; None while it reads prod's.
        base_known: the last load of prod that it began with.
        contracts: folder of contracts that it was last loaded with.
        created_by: who asked.
        is_expired: by the server's clock, now.
    """

    name: str
    role: str
    origin: str
    state: str
    created_at: datetime
    expires_at: datetime
    detached_at: datetime | None
    base_known: int
    contracts: str | None
    created_by: str
    is_expired: bool

    @property
    def schemas(self) -> Schemas:
        """Its schemas, with the role that every connection to them takes on."""
        plain = Schemas.of(self.name)
        return Schemas(plain.env, plain.bronze, plain.silver, plain.gold, plain.ops, self.role)

    @property
    def lease(self) -> timedelta:
        """How long it may stay in all."""
        return self.expires_at - self.created_at


def has_registry(connection: extensions.connection) -> bool:
    """Tell whether prod of this warehouse knows of environments."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.environment') is not null")
        found = cursor.fetchone()
    connection.commit()
    return found == (True,)


def make_registry(connection: extensions.connection) -> None:
    """Give a prod that was deployed by earlier code the registry, and change nothing else in it."""
    with connection, connection.cursor() as cursor:
        deploy_part(cursor, _PLAIN, REGISTRY_FILE)


def environments(connection: extensions.connection) -> list[Environment]:
    """Return all environments by name; none where prod knows of none."""
    if not has_registry(connection):
        return []
    return _read(connection, None)


def find(connection: extensions.connection, name: str) -> Environment | None:
    """Return an environment, in whatever state it is."""
    if not has_registry(connection):
        return None
    found = _read(connection, name)
    return found[0] if found else None


def environment_to_use(connection: extensions.connection, name: str) -> Environment:
    """Return an environment that can be worked in.

    Raises:
        UsageError: there is none of that name, it is half made, or its time is over.
    """
    found = find(connection, name)
    if found is None or found.state != "ready":
        half = f" It is {found.state} still, or was left so." if found else ""
        raise UsageError(f"There is no environment '{name}'.{half} Create it: systock env create {name}")
    if found.is_expired:
        raise UsageError(
            f"Environment '{name}' expired on {found.expires_at:%Y-%m-%d %H:%M} UTC. Create it anew: systock env "
            f"create {name}; or let it go: systock env gc"
        )
    return found


def enter(connection: extensions.connection, environment: Environment) -> None:
    """Write down that an environment is being made."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into ops.environment (name, role, origin, state, created_at, expires_at, created_by)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            (
                environment.name, environment.role, environment.origin, environment.state, environment.created_at,
                environment.expires_at, environment.created_by,
            ),
        )  # fmt: skip


def set_state(connection: extensions.connection, name: str, state: str) -> None:
    """Write down how far an environment is."""
    with connection, connection.cursor() as cursor:
        cursor.execute("update ops.environment set state = %s where name = %s", (state, name))


def note_base(cursor: extensions.cursor, name: str, base_known: int) -> None:
    """Write down that an environment reads prod, which has loaded so much, in the caller's transaction."""
    cursor.execute(
        "update ops.environment set detached_at = null, base_known = %s, contracts = null where name = %s",
        (base_known, name),
    )


def note_own_tables(cursor: extensions.cursor, name: str, base_known: int) -> None:
    """Write down that an environment has tables of its own from now on."""
    cursor.execute(
        "update ops.environment set detached_at = statement_timestamp(), base_known = %s where name = %s",
        (base_known, name),
    )


def note_contracts(connection: extensions.connection, name: str, folder: str) -> None:
    """Write down with which contracts an environment is loaded."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update ops.environment set contracts = %s where name = %s and contracts is distinct from %s",
            (folder, name, folder),
        )


def strike_out(connection: extensions.connection, name: str) -> None:
    """Forget an environment of which nothing is left."""
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from ops.environment where name = %s", (name,))


def is_prod(name: str | None) -> bool:
    """Tell whether a name means prod."""
    return name is None or name == PROD


def _read(connection: extensions.connection, name: str | None) -> list[Environment]:
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_READ, (name, name))
        found = [Environment(**row) for row in cursor.fetchall()]
    connection.commit()
    return found
