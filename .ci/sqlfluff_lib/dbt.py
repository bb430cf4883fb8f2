"""Stand-ins for dbt's own macros, so that the SQL of gold can be linted without dbt and without a database."""


def date_trunc(part: str, expression: str) -> str:
    """Return what dbt.date_trunc writes for PostgreSQL."""
    return f"date_trunc('{part}', {expression})"


def dateadd(part: str, interval: int | str, expression: str) -> str:
    """Return what dbt.dateadd writes for PostgreSQL."""
    return f"{expression} + ((interval '1 {part}') * ({interval}))"


def datediff(first: str, second: str, part: str) -> str:
    """Return an expression in place of dbt.datediff."""
    return f"extract('{part}' from {second} - {first})"


def date_spine(part: str, start_date: str, end_date: str) -> str:
    """Return a query in place of dbt.date_spine."""
    return f"select generate_series({start_date}, {end_date}, interval '1 {part}') as date_{part}"


def safe_cast(expression: str, kind: str) -> str:
    """Return what dbt.safe_cast writes for PostgreSQL."""
    return f"cast({expression} as {kind})"


def split_part(text: str, delimiter: str, part: int) -> str:
    """Return what dbt.split_part writes for PostgreSQL."""
    return f"split_part({text}, {delimiter}, {part})"


def hash(expression: str) -> str:
    """Return what dbt.hash writes for PostgreSQL."""
    return f"md5(cast({expression} as text))"


def listagg(measure: str, delimiter: str = "','", order_by_clause: str = "") -> str:
    """Return an expression in place of dbt.listagg."""
    return f"string_agg({measure}, {delimiter} {order_by_clause})"


def type_timestamp() -> str:
    """Return dbt's name of the type."""
    return "timestamp"


def type_numeric() -> str:
    """Return dbt's name of the type."""
    return "numeric(28, 6)"


def type_string() -> str:
    """Return dbt's name of the type."""
    return "text"


def type_int() -> str:
    """Return dbt's name of the type."""
    return "integer"


def type_bigint() -> str:
    """Return dbt's name of the type."""
    return "bigint"
