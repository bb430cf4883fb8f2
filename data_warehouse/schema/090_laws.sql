-- Laws: what must hold after every load, checked in production too: within the load's own transaction, before COMMIT,
-- on what the load touched and on a sample that depends on the load's number and on nothing else. `systock audit`
-- checks everything.
-- Writes: ops.law.   Used by: each load, people who doubt a number.

-- Forms that earlier versions had.
drop function if exists {{ ops }}.law_products(bigint);
drop function if exists {{ ops }}.law_files(bigint);
drop function if exists {{ ops }}.is_small();
drop function if exists {{ ops }}.law_5_positions(integer[], bigint);
drop function if exists {{ ops }}.law_5_positions(bigint);
drop function if exists {{ ops }}.law_6_accounts(integer[]);
drop function if exists {{ ops }}.law_7_one_authority(integer[]);
drop function if exists {{ ops }}.law_8_one_revision(bigint[], bigint);
drop function if exists {{ ops }}.law_13_quarantine();

-- choose_law_keys(k, is_whole): fill pg_temp.law_key with the stock keys whose whole ledger is asked: all of them, or
-- those that this load touched (of very many, the first by a hash) and all keys of three other products, another three
-- with each load; of one other product where the load is small, since many small loads ask as much as a large one.
-- Of the touched keys whose position was foretold (ops.predict_positions) a part is asked: a twenty-fifth, and two
-- hundred at least.
create or replace function {{ ops }}.choose_law_keys(at_known bigint, is_whole boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    most constant integer := 5000;
    few_sure constant integer := 200;
    few constant integer := 100;
begin
    create temporary table if not exists law_key (product_id integer, location_id integer);
    delete from pg_temp.law_key;
    if is_whole then
        insert into pg_temp.law_key (product_id, location_id)
        select m.product_id, m.location_id from {{ silver }}.fact_movement as m
        union
        select c.product_id, c.location_id from {{ silver }}.fact_count as c
        union
        select p.product_id, p.location_id from {{ silver }}.position as p;
    else
        with

        asked as (
            select
                t.product_id, t.location_id, coalesce(k.is_sure, false) as is_sure,
                hashint8(t.product_id * 1000003::bigint + t.location_id + at_known) as chance
            from (
                select y.product_id, y.location_id from pg_temp.touched_key as y
                union
                select y.product_id, y.location_id from pg_temp.predicted_key as y where not y.is_sure
            ) as t
            left join pg_temp.predicted_key as k on t.product_id = k.product_id and t.location_id = k.location_id
        )

        insert into pg_temp.law_key (product_id, location_id)
        (
            select a.product_id, a.location_id from asked as a
            where not a.is_sure
            order by a.chance, a.product_id, a.location_id
            limit most
        )
        union all
        (
            select a.product_id, a.location_id from asked as a
            where a.is_sure
            order by a.chance, a.product_id, a.location_id
            limit least(most, greatest(few_sure, (select count(*) / 25 from asked as n where n.is_sure)))
        );

        insert into pg_temp.law_key (product_id, location_id)
        select distinct s.product_id, s.location_id
        from generate_series(1, case when (select count(*) from pg_temp.touched_key) > few then 3 else 1 end) as n
        cross join lateral (
            select k.product_id
            from {{ silver }}.product_key as k
            where k.product_id >= abs(hashint8(at_known * 3 + n)::bigint) % (
                select coalesce(max(l.product_id), 0) + 1 from {{ silver }}.product_key as l
            )
            order by k.product_id
            limit 1
        ) as k
        cross join lateral (
            select p.product_id, p.location_id
            from {{ silver }}.position as p
            where p.product_id = k.product_id
            order by p.location_id
            limit 100
        ) as s
        where not exists (
            select 1 from pg_temp.law_key as y where y.product_id = s.product_id and y.location_id = s.location_id
        );
    end if;
    perform {{ silver }}.know_size('law_key');
end
$$;
comment on function {{ ops }}.choose_law_keys(bigint, boolean) is 'Choose the stock keys that the laws are checked on.';

-- Law 1: records in = accepted + duplicate + superseded + non-data + quarantined; blocks tile the file.
-- A duplicate is what is left over, so the law is broken where less than nothing is left.
create or replace function {{ ops }}.law_1_files_add_up(files bigint[])
returns table (subject text)
language sql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off -- what it costs follows the files that are asked for; the planner guesses them to be all
as $$
    select f.name || ' has ' || f.records || ' records and ' || f.non_data + r.homes + q.open_rows || ' are told'
    from {{ bronze }}.file as f
    cross join lateral (
        select count(*) as homes from {{ silver }}.record as h
        where h.file_id = f.file_id and not h.is_withdrawn
    ) as r
    cross join lateral (
        select count(*) as open_rows from {{ silver }}.quarantine as s
        where s.file_id = f.file_id and s.known_to is null
    ) as q
    where
        f.file_id = any (files)
        and f.status = 'loaded'
        and f.records < f.non_data + r.homes + q.open_rows
    union all
    select f.name || ' is not tiled by its blocks'
    from {{ bronze }}.file as f
    left join (
        select
            s.file_id,
            max(s.byte_end) as bytes,
            bool_and(
                s.byte_start = s.expected_start
                and s.byte_end - s.byte_start = octet_length(s.content)
                and (s.line_nos is null or cardinality(s.record_starts) = cardinality(s.line_nos))
            ) as is_tiled
        from (
            select b.*, coalesce(lag(b.byte_end) over (partition by b.file_id order by b.block_no), 0) as expected_start
            from {{ bronze }}.block as b
            where b.file_id = any (files)
        ) as s
        group by s.file_id
    ) as t on f.file_id = t.file_id
    where
        f.file_id = any (files)
        and f.status = 'loaded'
        and f.content_bytes > 0
        and not coalesce(t.is_tiled and t.bytes = f.content_bytes, false)
$$;
comment on function {{ ops }}.law_1_files_add_up(bigint[]) is 'Files whose records do not add up or do not tile.';

-- note_unforeseen(): pg_temp.unforeseen, positions of this load that are not what was foretold of them: another number,
-- another count or time, a row too many or too few, a class of movement that has no account.
-- Grain: stock key, state, bin and lot.
create or replace function {{ ops }}.note_unforeseen()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from pg_temp.unforeseen;
    insert into pg_temp.unforeseen
    select
        coalesce(e.product_id, p.product_id), coalesce(e.location_id, p.location_id), e.quantity, p.quantity,
        e.quantity is distinct from p.quantity,
        (e.is_anchored, e.anchor_at, e.anchor_quantity, e.last_movement_at)
        is distinct from (p.is_anchored, p.anchor_at, p.anchor_quantity, p.last_movement_at),
        e.accounted is distinct from p.quantity
    from (
        select f.*
        from pg_temp.predicted_key as k
        inner join pg_temp.predicted_position as f on k.product_id = f.product_id and k.location_id = f.location_id
        where k.is_sure
    ) as e
    full join (
        select s.*
        from pg_temp.predicted_key as k
        -- key by key: the planner takes a thousand keys for a large part of the table, and would read all of it
        cross join lateral (
            select o.* from {{ silver }}.position as o
            where o.product_id = k.product_id and o.location_id = k.location_id
            offset 0
        ) as s
        where k.is_sure
    ) as p
        on
            e.product_id = p.product_id
            and e.location_id = p.location_id
            and e.state = p.state
            and e.bin_code = p.bin_code
            and e.lot_code = p.lot_code
    where
        (e.quantity, e.is_anchored, e.anchor_at, e.anchor_quantity, e.last_movement_at, e.accounted)
        is distinct from (p.quantity, p.is_anchored, p.anchor_at, p.anchor_quantity, p.last_movement_at, p.quantity);
end
$$;
comment on function {{ ops }}.note_unforeseen() is 'Compare the positions of a load with what was foretold of them.';

-- unforeseen(): the same as sentences.
create or replace function {{ ops }}.unforeseen()
returns table (subject text, is_quantity boolean, is_anchor boolean, is_account boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        k.product_code || ' at ' || l.location_code || ' shows '
        || coalesce(cast(trim_scale(u.stands) as text), 'none') || ', what stood before and what this load brought say '
        || coalesce(cast(trim_scale(u.predicted) as text), 'none')
        || case when u.is_anchor then ', and its count or its times are others' else '' end,
        u.is_quantity, u.is_anchor, u.is_account
    from pg_temp.unforeseen as u
    inner join {{ silver }}.product_key as k on u.product_id = k.product_id
    inner join {{ silver }}.location_key as l on u.location_id = l.location_id;
end
$$;
comment on function {{ ops }}.unforeseen() is 'Positions of a load that are not what was foretold of them.';

-- Law 5: each position is its recomputation from the ledger.
create or replace function {{ ops }}.law_5_positions(at_known bigint, is_whole boolean)
returns table (subject text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    few constant integer := 200;
    the_products constant integer[] := case
        when is_whole then '{}'
        else array(select y.product_id from pg_temp.law_key as y order by y.product_id, y.location_id)
    end;
    the_locations constant integer[] := case
        when is_whole then '{}'
        else array(select y.location_id from pg_temp.law_key as y order by y.product_id, y.location_id)
    end;
    is_kept_aside constant boolean := is_whole and to_regclass('pg_temp.touched_key') is not null;
begin
    if is_whole then
        -- Within a load's transaction the name is taken by the load's own keys.
        if is_kept_aside then
            alter table pg_temp.touched_key rename to touched_key_of_load;
        end if;
        create temporary table touched_key on commit drop as
        select l.product_id, l.location_id from pg_temp.law_key as l;
        analyze pg_temp.touched_key;
    end if;

    return query
    select
        k.product_code || ' at ' || l.location_code || ' shows ' || coalesce(cast(trim_scale(o.quantity) as text), 'none')
        || ', its ledger says ' || coalesce(cast(trim_scale(n.quantity) as text), 'none')
    from (
        select s.* from {{ silver }}.stock_from_ledger('infinity', at_known) as s where is_whole
        union all
        select s.*
        from {{ silver }}.stock_of_keys(the_products, the_locations, 'infinity', at_known) as s
        where not is_whole and cardinality(the_products) > few
        union all
        select s.*
        from {{ silver }}.stock_of_few_keys(the_products, the_locations, 'infinity', at_known) as s
        where not is_whole and cardinality(the_products) <= few
    ) as n
    full join (
        select p.*
        from pg_temp.law_key as y
        inner join {{ silver }}.position as p on y.product_id = p.product_id and y.location_id = p.location_id
    ) as o
        on
            n.product_id = o.product_id
            and n.location_id = o.location_id
            and n.state = o.state
            and n.bin_code = o.bin_code
            and n.lot_code = o.lot_code
    inner join {{ silver }}.product_key as k on k.product_id = coalesce(n.product_id, o.product_id)
    inner join {{ silver }}.location_key as l on l.location_id = coalesce(n.location_id, o.location_id)
    where
        (n.quantity, n.is_anchored, n.anchor_at, n.anchor_quantity, n.last_movement_at)
        is distinct from (o.quantity, o.is_anchored, o.anchor_at, o.anchor_quantity, o.last_movement_at);

    if not is_whole then
        return query select u.subject from {{ ops }}.unforeseen() as u where u.is_quantity or u.is_anchor;
    end if;

    if is_whole then
        drop table pg_temp.touched_key;
        if is_kept_aside then
            alter table pg_temp.touched_key_of_load rename to touched_key;
        end if;
    end if;
end
$$;
comment on function {{ ops }}.law_5_positions(bigint, boolean) is 'Positions that differ from their ledger.';
