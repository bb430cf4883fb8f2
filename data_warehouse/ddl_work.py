"""Renders the function that opens the temporary tables of a load."""

from data_warehouse.ddl_text import FUNCTION_HEAD
from etl_pipeline.contracts.work_tables import work_tables


def work_function() -> str:
    """Return open_work(): the tables are there and empty; made once in a session, a large one anew.

    What the planner learnt of a large table would mislead it about the small loads after it.
    """
    bodies = ""
    for name, columns in work_tables().items():
        bodies += f"""
    if to_regclass('pg_temp.{name}') is null or pg_relation_size(to_regclass('pg_temp.{name}')) > 200000 then
        drop table if exists pg_temp.{name};
        create temporary table {name} ({", ".join(f"{c} {t}" for c, t in columns.items())});
    else
        delete from pg_temp.{name};
    end if;"""
    return f"""
drop function if exists {{{{ silver }}}}.open_work(boolean);
create or replace function {{{{ silver }}}}.open_work()
returns void
{FUNCTION_HEAD}{bodies}
end
$$;
comment on function {{{{ silver }}}}.open_work() is 'Have the temporary tables of a load ready and empty.';
"""
