-- The rest of the laws, and check_laws that runs them all.

-- Law 6: over all accounts each product sums to zero, and the stock account of a key is its position.
create or replace function {{ ops }}.law_6_accounts(products integer[])
returns table (subject text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with

    entry as materialized (
        select
            e.product_id, e.account, e.location_id, e.state, e.bin_code, e.lot_code, sum(e.quantity) as quantity
        from {{ silver }}.account_entry as e
        where e.product_id = any (products)
        group by e.product_id, e.account, e.location_id, e.state, e.bin_code, e.lot_code
    )

    select k.product_code || ' sums to ' || trim_scale(sum(e.quantity)) || ' over all accounts'
    from entry as e
    inner join {{ silver }}.product_key as k on e.product_id = k.product_id
    group by k.product_code
    having sum(e.quantity) <> 0
    union all
    select k.product_code || ' at ' || l.location_code || ' is not what its accounts say'
    from (select * from entry where account = 'stock') as e
    full join (select * from {{ silver }}.position where product_id = any (products)) as p
        on
            e.product_id = p.product_id
            and e.location_id = p.location_id
            and e.state = p.state
            and e.bin_code = p.bin_code
            and e.lot_code = p.lot_code
    inner join {{ silver }}.product_key as k on k.product_id = coalesce(e.product_id, p.product_id)
    inner join {{ silver }}.location_key as l on l.location_id = coalesce(e.location_id, p.location_id)
    where e.quantity is distinct from p.quantity
$$;
comment on function {{ ops }}.law_6_accounts(integer[]) is 'Products and keys whose double entry does not hold.';

-- Law 7: one authority per movement. Only movements that name an order line can be recognised as the same.
create or replace function {{ ops }}.law_7_one_authority(products integer[])
returns table (subject text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        k.product_code || ', ' || m.movement_class || ' of order ' || m.order_document || ' line ' || m.order_line
        || ' is told by ' || string_agg(distinct f.feed, ' and ' order by f.feed)
    from {{ silver }}.fact_movement as m
    inner join {{ silver }}.record as r on m.record_id = r.record_id
    inner join {{ ops }}.feed as f on r.feed_id = f.feed_id
    inner join {{ silver }}.product_key as k on m.product_id = k.product_id
    where
        m.product_id = any (products)
        and m.role = 'authority'
        and m.known_to is null
        and m.order_document <> ''
        and m.order_line <> ''
    group by k.product_code, m.location_id, m.movement_class, m.order_document, m.order_line
    having count(distinct r.feed_id) > 1
$$;
comment on function {{ ops }}.law_7_one_authority(integer[]) is 'Movements that two feeds are counted for.';

-- Law 8: one current revision per key. Of large files of a large warehouse, every fiftieth record is asked.
create or replace function {{ ops }}.law_8_one_revision(files bigint[], at_known bigint)
returns table (subject text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with

    asked as (
        select distinct h.feed_id, h.epoch, h.document, h.line
        from {{ bronze }}.file as f
        inner join {{ silver }}.record as h on f.file_id = h.file_id
        where
            f.file_id = any (files)
            and not h.is_withdrawn
            and ((select {{ ops }}.is_small()) or f.records < 10000 or h.record_no % 50 = at_known % 50)
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
    where c.standing <> 1
$$;
comment on function {{ ops }}.law_8_one_revision(bigint[], bigint) is 'Keys without exactly one current revision.';

-- Law 13: no quarantined record is lost: open once, or closed by a load that judged it again.
create or replace function {{ ops }}.law_13_quarantine()
returns table (subject text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select b.name || ' record ' || q.record_no || ' is set aside twice at once'
    from {{ silver }}.quarantine as q
    inner join {{ bronze }}.file as b on q.file_id = b.file_id
    where q.known_to is null
    group by b.name, q.file_id, q.record_no
    having count(*) > 1
    union all
    select b.name || ' record ' || q.record_no || ' was closed by a load that is not known'
    from {{ silver }}.quarantine as q
    inner join {{ bronze }}.file as b on q.file_id = b.file_id
    left join {{ ops }}.batch as k on q.known_to = k.known
    where q.known_to is not null and (k.known is null or q.known_to < q.known_from)
$$;
comment on function {{ ops }}.law_13_quarantine() is 'Quarantined records that nobody can account for.';

-- check_laws(at_known): check, write to ops.law and return. at_known is the latest load.
-- Again: the same load's rows are written over.
create or replace function {{ ops }}.check_laws(at_known bigint)
returns table (law text, is_kept boolean, violations bigint, sentence text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    products integer[] := {{ ops }}.law_products(at_known);
    files bigint[] := {{ ops }}.law_files(at_known);
begin
    insert into {{ ops }}.law as w (known, law, is_kept, violations, sentence)
    select
        at_known,
        t.law,
        count(v.subject) = 0,
        count(v.subject),
        t.meaning || case
            when count(v.subject) = 0 then ': kept.'
            else ': broken ' || count(v.subject) || ' times, first: ' || min(v.subject) || '. ' || t.remedy
        end
    from (
        values
        ('1', 'The records of each file add up and its blocks tile it', 'Stop loading this feed and report it.'),
        ('5', 'Each position is what its ledger says', 'Rebuild the positions from the ledger and report it.'),
        ('6', 'All accounts of each product sum to zero', 'Rebuild the positions from the ledger and report it.'),
        ('7', 'One authority per movement', 'Name the feed that counts in the authority rules.'),
        ('8', 'One current revision per key', 'Stop loading this feed and report it.'),
        ('10', 'Sealed snapshots do not change', 'Restore gold.snapshot from a backup.'),
        ('13', 'No quarantined record is lost', 'Stop loading this feed and report it.')
    ) as t (law, meaning, remedy)
    left join (
        select '1' as law, l.subject from {{ ops }}.law_1_files_add_up(files) as l
        union all
        select '5', l.subject from {{ ops }}.law_5_positions(products, at_known) as l
        union all
        select '6', l.subject from {{ ops }}.law_6_accounts(products) as l
        union all
        select '7', l.subject from {{ ops }}.law_7_one_authority(products) as l
        union all
        select '8', l.subject from {{ ops }}.law_8_one_revision(files, at_known) as l
        union all
        select '10', 'snapshot ' || b.snapshot_id || ': ' || b.problem from {{ gold }}.broken_snapshots() as b
        union all
        select '13', l.subject from {{ ops }}.law_13_quarantine() as l
    ) as v on t.law = v.law
    group by t.law, t.meaning, t.remedy
    on conflict (known, law) do update
        set is_kept = excluded.is_kept, violations = excluded.violations, sentence = excluded.sentence;

    return query
    select w.law, w.is_kept, w.violations, w.sentence
    from {{ ops }}.law as w
    where w.known = at_known
    order by cast(w.law as integer);
end
$$;
comment on function {{ ops }}.check_laws(bigint) is 'Check the laws after a load; writes ops.law and returns its rows.';
