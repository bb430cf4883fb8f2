"""Settings that a stage needs: a missing one ends it before anything is begun, by name and with what to do."""

from collections.abc import Collection, Mapping

from etl_pipeline.core.errors import UsageError
from etl_pipeline.core.snowflake_access import DATABASE, ENGINE, KEEPER, is_snowflake
from pipeline_manager.orchestrator.plan import SECURITY

POSTGRES, SNOWFLAKE = "postgres", "snowflake"
SNOWFLAKE_SETTINGS = (
    "SNOWFLAKE_ACCOUNT",
    "SNOWFLAKE_USER",
    "SNOWFLAKE_PASSWORD",
    "SNOWFLAKE_ROLE",
    "SNOWFLAKE_WAREHOUSE",
    "SNOWFLAKE_DATABASE",
)


def require_settings(environ: Mapping[str, str], stages: Collection[str]) -> None:
    """Refuse stages whose settings are not there; the security stage alone needs none.

    Raises:
        UsageError: a setting is missing, or names an engine that is not there.
    """
    engine = environ.get(ENGINE, POSTGRES).strip().lower()
    if set(stages) <= {SECURITY} or engine == POSTGRES:
        return
    if engine != SNOWFLAKE:
        raise UsageError(f"{ENGINE} is none of {POSTGRES}, {SNOWFLAKE}. Correct it, or leave it out for {POSTGRES}.")
    has_key = bool(environ.get("SNOWFLAKE_PRIVATE_KEY_PATH"))
    wanted = [name for name in SNOWFLAKE_SETTINGS if name != "SNOWFLAKE_PASSWORD" or not has_key]
    missing = [] if is_snowflake(environ.get(DATABASE)) else [name for name in wanted if not environ.get(name)]
    if missing:
        raise UsageError(
            f"{ENGINE} asks for Snowflake, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set. "
            "Set them as secrets of the repository or in .env; or leave out SYSTOCK_ENGINE to load PostgreSQL."
        )
    url = environ.get(DATABASE)
    if url and not is_snowflake(url):
        raise UsageError(
            f"{ENGINE} asks for Snowflake, and {DATABASE} names PostgreSQL. Name the keeper, where the numbers are "
            f"decided, by {KEEPER}; leave out {DATABASE}."
        )
