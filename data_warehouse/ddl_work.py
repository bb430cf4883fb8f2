"""Renders the function that opens the temporary tables of a load."""

from etl_pipeline.contracts.work_tables import work_tables


def work_function() -> str:
    """Return open_work(): the tables are there and empty; those of a large load are made anew.

    What the planner learnt of a large load would mislead it about the small ones after.
    """
    tables = work_tables()
    drops = "".join(f"            drop table if exists pg_temp.{name};\n" for name in tables)
    deletes = "".join(f"            delete from pg_temp.{name};\n" for name in tables)
    creates = "".join(
        f"    create temporary table if not exists {name} ({', '.join(f'{c} {t}' for c, t in columns.items())});\n"
        for name, columns in tables.items()
    )
    return f"""
create or replace function {{{{ silver }}}}.open_work(is_remade boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regclass('pg_temp.stage_record') is not null then
        if is_remade then
{drops}        else
{deletes}            return;
        end if;
    end if;
{creates}end
$$;
comment on function {{{{ silver }}}}.open_work(boolean) is
'Have the temporary tables of a load ready and empty: made once in a session, or anew.';
"""
