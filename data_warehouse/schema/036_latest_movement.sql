-- silver.latest_movement: when the latest movement of all happened. Where no file has a time of its own, that is "now",
-- and every promise asks for it: looked up in the ledger it would cost a promise a reading of the whole ledger.
-- Grain: one row; none while no movement is known. Movements are never deleted, so the greatest only grows.
-- Writes: the trigger below, once per statement; an index on event_time would cost a load a third more per movement.
create table if not exists {{ silver }}.latest_movement (
    is_only boolean primary key default true check (is_only),
    event_time timestamptz not null
);
comment on table {{ silver }}.latest_movement is
'The greatest event_time of silver.fact_movement, whoever tells it and whether it still stands. Grain: one row.';

create or replace function {{ silver }}.note_latest_movement()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into {{ silver }}.latest_movement as o (event_time)
    select max(a.event_time)
    from added as a
    having max(a.event_time) is not null
    on conflict (is_only) do update
        set event_time = excluded.event_time
        where o.event_time < excluded.event_time;
    return null;
end
$$;
comment on function {{ silver }}.note_latest_movement() is 'Keep silver.latest_movement as movements are added.';

create or replace trigger latest_movement after insert on {{ silver }}.fact_movement
referencing new table as added for each statement execute function {{ silver }}.note_latest_movement();

-- A warehouse of an earlier version has movements already.
insert into {{ silver }}.latest_movement (event_time)
select max(m.event_time)
from {{ silver }}.fact_movement as m
where not exists (select 1 from {{ silver }}.latest_movement)
having max(m.event_time) is not null;
