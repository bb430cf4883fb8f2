-- The rest of the laws, and what runs them all: check_batch within a load, check_laws over everything.

-- Law 6: over all accounts each product sums to zero, and the stock account of a key is its position.
-- Of a load's keys the first five hundred are asked: the accounts of a key cost what its ledger costs. Of the keys that
-- were foretold, the stock account must have moved by as much as the position did.
create or replace function {{ ops }}.law_6_accounts(is_whole boolean)
returns table (subject text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table if not exists law_entry (
        product_id integer, account text, location_id integer, state text, bin_code text, lot_code text,
        quantity numeric
    );
    delete from pg_temp.law_entry;
    if is_whole then
        insert into pg_temp.law_entry
        select e.product_id, e.account, e.location_id, e.state, e.bin_code, e.lot_code, sum(e.quantity)
        from {{ silver }}.account_entry as e
        group by e.product_id, e.account, e.location_id, e.state, e.bin_code, e.lot_code;
    else
        insert into pg_temp.law_entry
        select e.product_id, e.account, e.location_id, e.state, e.bin_code, e.lot_code, sum(e.quantity)
        from (
            select array_agg(l.product_id) as products, array_agg(l.location_id) as locations
            from (select n.* from pg_temp.law_key as n order by n.product_id, n.location_id limit 500) as l
        ) as y
        cross join lateral {{ silver }}.account_entry_of_keys(y.products, y.locations) as e
        group by e.product_id, e.account, e.location_id, e.state, e.bin_code, e.lot_code;
    end if;

    return query
    select k.product_code || ' sums to ' || trim_scale(sum(e.quantity)) || ' over all accounts'
    from pg_temp.law_entry as e
    inner join {{ silver }}.product_key as k on e.product_id = k.product_id
    group by k.product_code
    having sum(e.quantity) <> 0
    union all
    select k.product_code || ' at ' || l.location_code || ' is not what its accounts say'
    from (select s.* from pg_temp.law_entry as s where s.account = 'stock') as e
    full join (
        select p.*
        from (
            select y.* from pg_temp.law_key as y
            order by y.product_id, y.location_id limit case when is_whole then null else 500 end
        ) as y
        inner join {{ silver }}.position as p on y.product_id = p.product_id and y.location_id = p.location_id
    ) as p
        on
            e.product_id = p.product_id
            and e.location_id = p.location_id
            and e.state = p.state
            and e.bin_code = p.bin_code
            and e.lot_code = p.lot_code
    inner join {{ silver }}.product_key as k on k.product_id = coalesce(e.product_id, p.product_id)
    inner join {{ silver }}.location_key as l on l.location_id = coalesce(e.location_id, p.location_id)
    where e.quantity is distinct from p.quantity;

    -- What stands on the transit account stands on the ageing list. That list is made of the whole ledger.
    if is_whole and to_regclass('{{ gold }}.in_transit') is not null then
        return query
        select coalesce(k.product_code, i.product_code) || ' has ' || trim_scale(coalesce(e.quantity, 0)) || ' on the transit account and '
            || trim_scale(coalesce(i.quantity, 0)) || ' on the list of what is in transit'
        from (
            select s.product_id, sum(s.quantity) as quantity
            from pg_temp.law_entry as s where s.account = 'transit' group by s.product_id
        ) as e
        inner join {{ silver }}.product_key as k on e.product_id = k.product_id
        full join (
            select t.product_code, sum(t.open_quantity) as quantity
            from {{ gold }}.in_transit as t group by t.product_code
        ) as i on k.product_code = i.product_code
        where coalesce(e.quantity, 0) <> coalesce(i.quantity, 0);
    end if;

    if is_whole then
        truncate pg_temp.law_entry; -- the next load of this session finds it small again
    else
        return query select u.subject from {{ ops }}.unforeseen() as u where u.is_account;
    end if;
end
$$;
comment on function {{ ops }}.law_6_accounts(boolean) is 'Products and keys whose double entry does not hold.';

-- keys_naming_orders(is_whole): where law 7 looks: the keys that the other laws look at, and those to which a movement
-- of this load that names an order line belongs.
create or replace function {{ ops }}.keys_naming_orders(is_whole boolean)
returns table (product_id integer, location_id integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query select y.product_id, y.location_id from pg_temp.law_key as y;
    if not is_whole then
        return query
        select k.product_id, k.location_id from pg_temp.predicted_key as k where k.names_order
        except
        select y.product_id, y.location_id from pg_temp.law_key as y;
    end if;
end
$$;
comment on function {{ ops }}.keys_naming_orders(boolean) is 'Stock keys at which two feeds may tell of one movement.';

-- Law 7: one authority per movement. Only movements that name an order line can be recognised as the same.
drop function if exists {{ ops }}.law_7_one_authority();
create or replace function {{ ops }}.law_7_one_authority(is_whole boolean)
returns table (subject text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        k.product_code || ', ' || m.movement_class || ' of order ' || m.order_document || ' line ' || m.order_line
        || ' is told by ' || string_agg(distinct f.feed, ' and ' order by f.feed)
    from {{ ops }}.keys_naming_orders(is_whole) as y
    inner join {{ silver }}.fact_movement as m on y.product_id = m.product_id and y.location_id = m.location_id
    inner join {{ silver }}.record as r on m.record_id = r.record_id
    inner join {{ ops }}.feed as f on r.feed_id = f.feed_id
    inner join {{ silver }}.product_key as k on m.product_id = k.product_id
    where
        m.role = 'authority'
        and m.known_to is null
        and m.order_document <> ''
        and m.order_line <> ''
    group by k.product_code, m.location_id, m.movement_class, m.order_document, m.order_line
    having count(distinct r.feed_id) > 1;
end
$$;
comment on function {{ ops }}.law_7_one_authority(boolean) is 'Movements that two feeds are counted for.';

-- Law 8: one current revision per key. Of large files, every fiftieth record is asked unless everything is.
-- Each key is looked up, unless that are so many that adding up the revisions of all keys is less work.
create or replace function {{ ops }}.law_8_one_revision(files bigint[], at_known bigint, is_whole boolean)
returns table (subject text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off -- as in law 1
set enable_hashjoin = off
set enable_mergejoin = off
set work_mem = '256MB'
as $$
declare
    most constant integer := 10000; -- of a file all of whose records are asked
    part constant integer := 50;
    asked_of constant numeric := (
        select sum(case when is_whole or f.records < most then f.records else f.records / part end)
        from {{ bronze }}.file as f
        where f.file_id = any (files)
    );
begin
    if asked_of > (select max(r.record_id) from {{ silver }}.record as r) / 4 then
        perform set_config('enable_seqscan', 'on', true);
        return query
        select f.feed || ' ' || k.document || ' ' || k.line || ' has ' || k.standing
        from (
            select r.feed_id, r.epoch, r.document, r.line, count(*) filter (where r.is_current) as standing
            from {{ silver }}.record as r
            group by r.feed_id, r.epoch, r.document, r.line
            having count(*) filter (where r.is_current) <> 1 and not bool_and(r.is_withdrawn)
        ) as k
        inner join {{ ops }}.feed as f on k.feed_id = f.feed_id;
        return;
    end if;

    return query
    with

    asked as (
        select distinct h.feed_id, h.epoch, h.document, h.line
        from {{ bronze }}.file as f
        -- file by file: the planner takes a file for a large part of the table, and would read all of it
        cross join lateral (
            select r.feed_id, r.epoch, r.document, r.line, r.record_no
            from {{ silver }}.record as r
            where r.file_id = f.file_id and not r.is_withdrawn
            offset 0
        ) as h
        where
            f.file_id = any (files)
            and (is_whole or f.records < most or h.record_no % part = at_known % part)
    )

    select f.feed || ' ' || a.document || ' ' || a.line || ' has ' || c.standing
    from asked as a
    inner join {{ ops }}.feed as f on a.feed_id = f.feed_id
    cross join lateral (
        select count(*) as standing
        from {{ silver }}.record as r
        where
            r.feed_id = a.feed_id
            and r.epoch = a.epoch
            and r.document = a.document
            and r.line = a.line
            and r.is_current
    ) as c
    where c.standing <> 1;
end
$$;
comment on function {{ ops }}.law_8_one_revision(bigint[], bigint, boolean) is
'Keys without exactly one current revision.';

-- Law 9: on-hand is the latest count plus the movements after it; no count is later than the anchor.
-- Told a second time in other words than silver.stock_from_ledger, so that a fault in one of them shows.
drop function if exists {{ ops }}.law_9_anchor();
create or replace function {{ ops }}.law_9_anchor(is_whole boolean)
returns table (subject text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select k.product_code || ' at ' || l.location_code || ' shows ' || trim_scale(p.quantity) || ', its anchor '
        || coalesce(cast(trim_scale(p.anchor_quantity) as text), 'none') || ' and the movements after it say '
        || trim_scale(coalesce(p.anchor_quantity, 0) + m.quantity)
    from pg_temp.law_key as y
    inner join {{ silver }}.position as p on y.product_id = p.product_id and y.location_id = p.location_id
    inner join {{ silver }}.product_key as k on p.product_id = k.product_id
    inner join {{ silver }}.location_key as l on p.location_id = l.location_id
    cross join lateral (
        select coalesce(sum(f.quantity), 0) as quantity
        from {{ silver }}.fact_movement as f
        where
            f.product_id = p.product_id
            and f.location_id = p.location_id
            and f.state = p.state
            and f.bin_code = p.bin_code
            and f.lot_code = p.lot_code
            and f.role = 'authority'
            and f.known_to is null
            and f.event_time > coalesce(p.anchor_at, '-infinity')
    ) as m
    where p.quantity <> coalesce(p.anchor_quantity, 0) + m.quantity
    union all
    select k.product_code || ' at ' || l.location_code || ' was counted after its anchor'
    from pg_temp.law_key as y
    inner join {{ silver }}.position as p on y.product_id = p.product_id and y.location_id = p.location_id
    inner join {{ silver }}.product_key as k on p.product_id = k.product_id
    inner join {{ silver }}.location_key as l on p.location_id = l.location_id
    where exists (
        select 1
        from {{ silver }}.fact_count as c
        where
            c.product_id = p.product_id
            and c.location_id = p.location_id
            and c.state = p.state
            and c.bin_code = p.bin_code
            and c.lot_code = p.lot_code
            and c.role = 'authority'
            and c.known_to is null
            and c.event_time > coalesce(p.anchor_at, '-infinity')
    );

    if not is_whole then
        return query select u.subject from {{ ops }}.unforeseen() as u where u.is_quantity or u.is_anchor;
    end if;
end
$$;
comment on function {{ ops }}.law_9_anchor(boolean) is 'Positions that are not their anchor plus what moved after it.';

-- Law 13: no quarantined record is lost: open once, or closed by a load that judged it again.
create or replace function {{ ops }}.law_13_quarantine(of_files bigint[])
returns table (subject text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select b.name || ' record ' || q.record_no || ' is set aside twice at once'
    from {{ silver }}.quarantine as q
    inner join {{ bronze }}.file as b on q.file_id = b.file_id
    where q.known_to is null and q.file_id = any (of_files)
    group by b.name, q.file_id, q.record_no
    having count(*) > 1
    union all
    select b.name || ' record ' || q.record_no || ' was closed by a load that is not known'
    from {{ silver }}.quarantine as q
    inner join {{ bronze }}.file as b on q.file_id = b.file_id
    left join {{ ops }}.batch as k on q.known_to = k.known
    where
        q.known_to is not null
        and q.file_id = any (of_files)
        and (k.known is null or q.known_to < q.known_from)
$$;
comment on function {{ ops }}.law_13_quarantine(bigint[]) is 'Quarantined records that nobody can account for.';

-- judge_laws: check the laws on the chosen keys and files, write ops.law and return its rows.
-- Again: the same load's rows are written over.
create or replace function {{ ops }}.judge_laws(at_known bigint, at_run text, files bigint[], is_whole boolean)
returns table (law text, is_kept boolean, violations bigint, sentence text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    asked integer;
    is_small boolean;
begin
    perform {{ ops }}.choose_law_keys(at_known, is_whole);
    if not is_whole then
        perform {{ ops }}.note_unforeseen();
        is_small := (select count(*) from pg_temp.touched_key) <= 100;
        asked := case when is_small then 1 else 2 end;
        if is_small then
            -- Of few keys any plan is quick: one that is kept spares a quarter of what a small load's laws take.
            perform set_config('plan_cache_mode', 'force_generic_plan', true);
        end if;
    end if;

    insert into {{ ops }}.law as w (known, law, is_kept, violations, sentence, run_id)
    select
        at_known,
        t.law,
        count(v.subject) = 0,
        count(v.subject),
        t.meaning || case
            when count(v.subject) = 0 then ': kept.'
            else ': broken ' || count(v.subject) || ' times, first: ' || min(v.subject) || '. ' || t.remedy
        end,
        at_run
    from (
        values
        ('1', 'The records of each file add up and its blocks tile it', 'Stop loading this feed and report it.'),
        ('5', 'Each position is what its ledger says, each balance what its positions say', 'Rebuild the positions (systock rebuild) and report it.'),
        ('6', 'All accounts of each product sum to zero', 'Rebuild the positions (systock rebuild) and report it.'),
        ('7', 'One authority per movement', 'Name the feed that counts in the authority rules.'),
        ('8', 'One current revision per key', 'Stop loading this feed and report it.'),
        ('9', 'On-hand is the last count and what moved after it', 'Rebuild the positions (systock rebuild) and report it.'),
        ('10', 'Sealed snapshots do not change', 'Restore gold.snapshot from a backup.'),
        ('11', 'An answer about the past is given again', 'Stop loading and report it.'),
        ('13', 'No quarantined record is lost', 'Stop loading this feed and report it.')
    ) as t (law, meaning, remedy)
    left join (
        select '1' as law, l.subject from {{ ops }}.law_1_files_add_up(files) as l
        union all
        select '5', l.subject from {{ ops }}.law_5_positions(at_known, is_whole) as l
        union all
        select '5', l.subject from {{ ops }}.law_5_balances(is_whole) as l
        union all
        select '6', l.subject from {{ ops }}.law_6_accounts(is_whole) as l
        union all
        select '7', l.subject from {{ ops }}.law_7_one_authority(is_whole) as l
        union all
        select '8', l.subject from {{ ops }}.law_8_one_revision(files, at_known, is_whole) as l
        union all
        select '9', l.subject from {{ ops }}.law_9_anchor(is_whole) as l
        union all
        select '10', l.subject from {{ ops }}.law_10_snapshots(at_known, is_whole) as l
        union all
        select '11', l.subject from {{ ops }}.law_11_as_of(at_known, asked) as l
        union all
        select '13', l.subject from {{ ops }}.law_13_quarantine(files) as l
    ) as v on t.law = v.law
    group by t.law, t.meaning, t.remedy
    on conflict (known, law) do update
        set is_kept = excluded.is_kept, violations = excluded.violations, sentence = excluded.sentence;

    if not is_whole then
        perform {{ ops }}.keep_answers(array(select distinct y.product_id from pg_temp.law_key as y), at_known);
    end if;

    if is_whole then
        truncate pg_temp.law_key;
    end if;
    return query
    select w.law, w.is_kept, w.violations, w.sentence
    from {{ ops }}.law as w
    where w.known = at_known
    order by cast(w.law as integer);
end
$$;
comment on function {{ ops }}.judge_laws(bigint, text, bigint[], boolean) is
'Check the laws on some or all keys and files; writes ops.law and returns its rows.';

-- check_batch(k, run, files): within the load's transaction, after its positions are recomputed.
create or replace function {{ ops }}.check_batch(at_known bigint, at_run text, files bigint[])
returns table (law text, is_kept boolean, violations bigint, sentence text)
language sql
set search_path = pg_catalog, pg_temp
as $$
    select j.law, j.is_kept, j.violations, j.sentence from {{ ops }}.judge_laws(at_known, at_run, files, false) as j
$$;
comment on function {{ ops }}.check_batch(bigint, text, bigint[]) is
'Check the laws on what a load touched and on a sample of the rest; reads pg_temp.touched_key of the load.';

-- check_laws(k): everything. k is the latest load.
create or replace function {{ ops }}.check_laws(at_known bigint)
returns table (law text, is_kept boolean, violations bigint, sentence text)
language sql
set search_path = pg_catalog, pg_temp
as $$
    select j.law, j.is_kept, j.violations, j.sentence
    from {{ ops }}.judge_laws(
        at_known,
        (select b.run_id from {{ ops }}.batch as b where b.known = at_known),
        array(select f.file_id from {{ bronze }}.file as f),
        true
    ) as j
$$;
comment on function {{ ops }}.check_laws(bigint) is
'Check the laws over the whole warehouse; writes ops.law and returns its rows.';
