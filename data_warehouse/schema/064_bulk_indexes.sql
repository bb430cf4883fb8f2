-- A load that dwarfs what is there fills its tables without their indexes, and makes them at once of all rows: that
-- costs a third of putting every row into them. Nobody else reads these tables until such a load has ended.

-- lay_indexes_down(coming): if so many bytes of files dwarf the tables that they fill, drop these tables' indexes;
-- returns whether it did. A table that is empty is made anew, too: where the server's log is minimal it then writes the
-- table to disk at the COMMIT, and not each row into its log. A transaction that is taken back leaves all as it was.
create or replace function {{ silver }}.lay_indexes_down(coming bigint)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    often constant integer := 4;
    filled constant regclass[] := array[
        '{{ silver }}.record', '{{ silver }}.fact_movement', '{{ silver }}.fact_sale', '{{ silver }}.fact_count',
        '{{ silver }}.fact_demand', '{{ silver }}.fact_supply'
    ];
    one record;
    has_rows boolean;
begin
    if coming < often * (select sum(pg_relation_size(t.name)) from unnest(filled) as t (name)) then
        return false;
    end if;
    drop table if exists pg_temp.laid_down;
    create temporary table laid_down on commit drop as
    select
        c.oid,
        case
            when k.oid is null then format('drop index %s', cast(c.oid as regclass))
            else format('alter table %s drop constraint %I', cast(k.conrelid as regclass), k.conname)
        end as down,
        case
            when k.oid is null then pg_get_indexdef(c.oid)
            else format(
                'alter table %s add constraint %I %s', cast(k.conrelid as regclass), k.conname,
                pg_get_constraintdef(k.oid)
            )
        end as up
    from pg_index as i
    inner join pg_class as c on i.indexrelid = c.oid
    left join pg_constraint as k on i.indexrelid = k.conindid and i.indrelid = k.conrelid
    where i.indrelid = any(filled);
    for one in select t.name from unnest(filled) as t (name) loop
        execute format('select exists (select 1 from %s)', one.name) into has_rows;
        if not has_rows then
            execute format('truncate table %s', one.name);
        end if;
    end loop;
    for one in select l.down from pg_temp.laid_down as l order by l.oid loop
        execute one.down;
    end loop;
    return true;
end
$$;
comment on function {{ silver }}.lay_indexes_down(bigint) is
'Drop the indexes of the tables that a load of so many bytes dwarfs; returns whether it did.';

-- take_indexes_up(): make the indexes that were laid down, of all rows.
create or replace function {{ silver }}.take_indexes_up()
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    one record;
begin
    -- What is executed with the owner's rights must have been written by the owner.
    if (
        select c.relowner from pg_class as c where c.oid = to_regclass('pg_temp.laid_down')
    ) is distinct from cast(cast(current_user as regrole) as oid) then
        raise exception 'no indexes were laid down in this transaction';
    end if;
    for one in select l.up from pg_temp.laid_down as l order by l.oid loop
        execute one.up;
    end loop;
    drop table pg_temp.laid_down;
end
$$;
comment on function {{ silver }}.take_indexes_up() is 'Make the indexes that a load laid down, of all rows at once.';
