"""A keeper of four relations, and its shipping in processes that a test may kill.

Run as a script it reads from standard input what to do, a line each, and writes its number and how it ended:
`ship FAILPOINT KEEPER TARGET` forks, so that a process more does not take a second; `go PID` lets a stopped one go on.
"""

import os
import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from data_warehouse.shipped import ShippedName
from etl_pipeline.core.errors import StopRunError
from etl_pipeline.core.failpoints import VARIABLE
from etl_pipeline.core.names import Schemas
from etl_pipeline.core.snowflake_access import snowflake_access
from load.keeper import Keeper
from load.postgres import connect
from load.serving_content import content_of
from load.warehouse import Parcel
from pipeline_manager.shipping import Target, open_target, ship_relations

PROD = Schemas.of(None)
NAMES = (
    ShippedName("silver", "thing"), ShippedName("silver", "fact_line"), ShippedName("silver", "place"),
    ShippedName("gold", "told", "select t.id, t.name as told from silver.thing as t where t.flag"),
)  # fmt: skip
TABLES = """
    create schema bronze; create schema silver; create schema gold; create schema ops;
    create table ops.batch (known bigint primary key, run_id text, started_at timestamptz);
    create table silver.thing (
        id bigint primary key, name text, quantity numeric, price numeric(12, 2), share double precision, flag boolean,
        raw bytea, day date, at_time timestamptz, tags text[], more jsonb, mark uuid, "check" smallint, span interval
    );
    create table silver.fact_line (record_id bigint, fact_no smallint, known_from bigint, known_to bigint, n numeric);
    create view silver.place as select distinct name from silver.thing;
    insert into ops.batch values (1, 'a', '2026-01-01');
    insert into silver.thing values
    (1, 'one', 12.5, 3.10, 0.1, true, '\\x00ff0a', '2026-02-28', '2026-02-28 23:59:59.5+01', '{a,"b,c",NULL}',
     '{"b": [1, 2.50], "a": null}', '00000000-0000-0000-0000-000000000001', 3, '1 hour'),
    (2, '', 0.0000000000014, -0.01, 'NaN', false, '', 'infinity', 'infinity', '{}', '[]', null, -1, null),
    (3, E'line\\nand "quote", täst\\\\', -99999999999999.123456789012, null, null, null, null, '-infinity', '-infinity',
     null, null, null, null, null);
    insert into silver.fact_line select n, 0, 1, null, n / 3.0 from generate_series(1, 40) as n;
"""
LATER = (
    "insert into ops.batch values (2, 'b', '2026-01-02')",
    "update silver.thing set name = 'uno', at_time = '2026-03-01 12:00Z' where id = 1",
    "delete from silver.thing where id = 2",
    "insert into silver.thing (id, name, flag) values (4, 'four', true)",
    "update silver.fact_line set known_to = 2 where record_id <= 3",
    "insert into silver.fact_line select n, 0, 2, null, n from generate_series(1, 3) as n",
)


def tell(url: str, *statements: str) -> None:
    """Change the keeper, each statement by a transaction of its own."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)


def ship_little(url: str, target: Target, *, full: bool = False, schemas: Schemas = PROD) -> list[Parcel]:
    """Ship the four relations."""
    with (
        closing(Keeper(connect(url), schemas)) as keeper,
        closing(open_target(target, schemas)) as serving,
        tempfile.TemporaryDirectory() as folder,
    ):
        return ship_relations(keeper, serving, NAMES, Path(folder), full=full)[1]


def differing(url: str, target: Target) -> list[str]:
    """Name the relations that are not the same on both sides."""
    with closing(Keeper(connect(url), PROD)) as keeper, closing(open_target(target, PROD)) as serving:
        relations = [keeper.relation(n.schema, n.name, n.source) for n in NAMES]
        return [
            r.full_name
            for r in relations
            if content_of(r, keeper.batches(r)).told != content_of(r, serving.rows(r)).told
        ]


def ship_here(point: str, url: str, target: str) -> None:
    """Be a process that ships, and dies where it is told to; one that hangs is to end, too."""
    signal.alarm(120)
    os.environ[VARIABLE] = point
    named = snowflake_access(target, {}) or target
    try:
        ship_little(url, named)
    except StopRunError as error:
        sys.stderr.write(f"{error}\n")
        os._exit(1)
    os._exit(0)


def serve_tests() -> None:
    """Do what the lines of standard input say."""
    # Else the connector's import starts a thread that imports, and what is forked meanwhile waits for its lock forever.
    os.environ["SNOWFLAKE_DISABLE_MINICORE"] = "true"
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401
    import snowflake.connector  # noqa: F401

    for line in sys.stdin:
        match line.split():
            case ["ship", point, url, target]:
                number = os.fork()
                if not number:
                    ship_here(point, url, target)
            case ["go", told]:
                number = int(told)
                os.kill(number, signal.SIGCONT)
            case _:
                raise ValueError(line)
        _, status = os.waitpid(number, os.WUNTRACED)
        ended = "stopped" if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
        sys.stdout.write(f"{number} {ended}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve_tests()
