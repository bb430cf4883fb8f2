-- stock_explanation(at_time, at_known, product, location): every fact that was ever told about one product at one
-- place, and what became of it: counted, in order, with a running balance; or not counted, and why.
-- Grain: one row per fact of a record (and one per record set aside that names the product).
-- Reads: the ledger, silver.stock_of_keys, silver.record, silver.quarantine, bronze.file.
-- Used by: `systock explain`, people who doubt a number. The last balances of the counted rows add up to stock_as_of.
-- Reasons (null where it is counted):
--   before_count    it happened before the count, or at its instant: the count has seen it
--   earlier_count   a later count holds
--   shadow          another feed is the authority for it (by_feed)
--   voided, superseded   another revision of the record holds (by_feed, by_file_name, by_line_no)
--   withdrawn       judged again and set aside: a code that it needs has changed or gone
--   judged_again    a code changed its meaning: the record stands, and tells of something else now
--   later           it happened after the instant asked for
--   not_known_yet   a later load told of it
--   quarantined     set aside, never counted; it names the product, and no other place

-- shown_file_name(file_id): the least name under which the bytes came: arrival does not decide.
create or replace function {{ silver }}.shown_file_name(wanted_file_id bigint)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(min(n.name collate "C"), f.name)
    from {{ bronze }}.file as f
    left join {{ bronze }}.file_name as n on f.file_id = n.file_id
    where f.file_id = wanted_file_id
    group by f.name
$$;
comment on function {{ silver }}.shown_file_name(bigint) is 'The name by which views show a file.';

-- names_code(raw, code): whether the bytes hold the code, with no letter or digit right before or after it.
create or replace function {{ silver }}.names_code(raw bytea, code text)
returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select
        position(convert_to(code, 'UTF8') in raw) > 0
        and encode(raw, 'escape') ~ (
            '(^|[^[:alnum:]]|\\[0-7]{3})' -- an octal escape is no digit
            || regexp_replace(encode(convert_to(code, 'UTF8'), 'escape'), '([^[:alnum:]])', '\\\1', 'g')
            || '($|[^[:alnum:]])'
        )
$$;
comment on function {{ silver }}.names_code(bytea, text) is 'Whether a record''s bytes hold a code as a word.';

-- facts_told: each fact about a key as it stood at a load, or, where it did not stand, as it was told last.
create or replace function {{ silver }}.facts_told(wanted_product integer, wanted_location integer, at_known bigint)
returns table (
    kind text, record_id bigint, fact_no smallint, state text, bin_code text, lot_code text, event_time timestamptz,
    quantity numeric, class text, fact_role text, is_whole boolean, stands boolean, first_known bigint
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with

    told as (
        select
            'movement' as kind, m.record_id, m.fact_no, m.known_from, m.known_to, m.state, m.bin_code, m.lot_code,
            m.event_time, m.quantity, m.movement_class as class, m.role, false as is_whole
        from {{ silver }}.fact_movement as m
        where m.product_id = wanted_product and m.location_id = wanted_location
        union all
        select
            'count', c.record_id, c.fact_no, c.known_from, c.known_to, c.state, c.bin_code, c.lot_code, c.event_time,
            c.quantity, c.count_document, c.role, c.scope = 'location' and c.absence = 'zero'
        from {{ silver }}.fact_count as c
        where c.product_id = wanted_product and c.location_id = wanted_location
    ),

    judged as (
        select
            t.*,
            t.known_from <= at_known and (t.known_to is null or t.known_to > at_known) as stands,
            min(t.known_from) over (partition by t.kind, t.record_id, t.fact_no) as first_known
        from told as t
    )

    select distinct on (j.kind, j.record_id, j.fact_no)
        j.kind, j.record_id, j.fact_no, j.state, j.bin_code, j.lot_code, j.event_time, j.quantity, j.class, j.role,
        j.is_whole, j.stands, j.first_known
    from judged as j
    order by j.kind, j.record_id, j.fact_no, j.stands desc, j.known_from <= at_known desc, j.known_from desc
$$;
comment on function {{ silver }}.facts_told(integer, integer, bigint) is
'Every fact ever told about a key, each once, and whether it stood at a load.';

-- implied_zero: an anchor that no record of the product tells: a count of the whole place without it, or of the code
-- that it was merged into. With the record that says so.
create or replace function {{ silver }}.implied_zero(
    wanted_product integer, wanted_location integer, at_time timestamptz, at_known bigint
)
returns table (record_id bigint, class text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select c.record_id, c.count_document
    from {{ silver }}.fact_count as c
    inner join {{ silver }}.record as r on c.record_id = r.record_id
    where
        c.location_id = wanted_location
        and c.event_time = at_time
        and c.role = 'authority'
        and c.known_from <= at_known
        and (c.known_to is null or c.known_to > at_known)
        and (
            (c.scope = 'location' and c.absence = 'zero')
            or c.product_id in (
                select g.survivor_id
                from {{ silver }}.product_merge_at(at_known) as g
                where g.member_id = wanted_product and g.valid_from <= at_time and g.valid_to > at_time
            )
        )
    order by r.document, r.line, r.content_hash
    limit 1
$$;
comment on function {{ silver }}.implied_zero(integer, integer, timestamptz, bigint) is
'The count that says a product was not there without naming it.';

create or replace function {{ gold }}.stock_explanation(
    at_time timestamptz, at_known bigint, product text, location text
)
returns table (
    is_counted boolean,
    reason text,
    kind text,
    state text,
    bin_code text,
    lot_code text,
    event_time timestamptz,
    class text,
    quantity numeric,
    balance numeric,
    feed text,
    document text,
    line text,
    file_name text,
    line_no bigint,
    first_known bigint,
    by_feed text,
    by_file_name text,
    by_line_no bigint,
    sentence text,
    file_id bigint,
    byte_start bigint,
    byte_end bigint
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    the_product integer := (select k.product_id from {{ silver }}.product_key as k where k.product_code = product);
    the_location integer := (select k.location_id from {{ silver }}.location_key as k where k.location_code = location);
begin
    if at_time is null then
        raise exception 'the instant is null; name one, or ''infinity''' using errcode = 'invalid_parameter_value';
    end if;
    perform {{ silver }}.refuse_unknown_load(at_known);
    return query
    with

    stock as (
        select s.* from {{ silver }}.stock_of_keys(array[the_product], array[the_location], at_time, at_known) as s
    ),

    told as (
        select
            f.*, s.anchor_at, r.feed_id, r.epoch, r.document, r.line, r.content_hash, r.is_void, r.is_withdrawn,
            r.file_id, r.line_no, r.byte_start, r.byte_end,
            row_number() over (
                partition by f.kind, f.stands and f.fact_role = 'authority', f.state, f.bin_code, f.lot_code, f.event_time
                order by cast(r.content_hash as text) desc
            ) as place
        from {{ silver }}.facts_told(the_product, the_location, at_known) as f
        inner join {{ silver }}.record as r on f.record_id = r.record_id
        left join stock as s on f.state = s.state and f.bin_code = s.bin_code and f.lot_code = s.lot_code
    ),

    -- Which revision of the key held at the load, for facts that did not stand.
    judged as (
        select
            t.*,
            case
                when t.first_known > at_known then 'not_known_yet'
                when not t.stands and t.is_withdrawn then 'withdrawn'
                when not t.stands and w.record_id <> t.record_id then
                    case when w.is_void then 'voided' else 'superseded' end
                when not t.stands then case when t.is_void then 'voided' else 'judged_again' end
                when t.fact_role = 'shadow' then 'shadow'
                when t.event_time > at_time then 'later'
                when t.kind = 'count' and (t.event_time <> t.anchor_at or t.place > 1) then 'earlier_count'
                when t.kind = 'movement' and t.event_time <= t.anchor_at then 'before_count'
            end as reason,
            w.feed_id as by_feed_id,
            w.file_id as by_file_id,
            w.line_no as by_line_no
        from told as t
        left join lateral (
            select r.*
            from {{ silver }}.revision as r
            where
                not t.stands
                and r.feed_id = t.feed_id
                and r.epoch = t.epoch
                and r.document = t.document
                and r.line = t.line
                and r.known_from <= at_known
            order by
                r.is_withdrawn, r.revision_no desc nulls last, r.updated_at desc nulls last,
                r.last_file_at desc nulls last, r.content_hash desc
            limit 1
        ) as w on true
        -- A void tells nothing by itself: it is shown as what took its record back.
        where not t.is_void or w.record_id is null or w.record_id <> t.record_id
    ),

    implied as (
        select
            s.state, s.bin_code, s.lot_code, s.anchor_at, z.class, r.feed_id, r.document, r.line, r.file_id, r.line_no,
            r.byte_start, r.byte_end, r.known_from
        from stock as s
        left join lateral {{ silver }}.implied_zero(the_product, the_location, s.anchor_at, at_known) as z on true
        left join {{ silver }}.record as r on z.record_id = r.record_id
        where
            s.is_anchored
            and not exists (
                select 1
                from judged as j
                where
                    j.reason is null
                    and j.kind = 'count'
                    and j.state = s.state
                    and j.bin_code = s.bin_code
                    and j.lot_code = s.lot_code
            )
    ),

    listed as (
        select
            j.reason, j.kind, j.state, j.bin_code, j.lot_code, j.event_time, j.class, j.quantity, j.feed_id, j.document,
            j.line, j.file_id, j.line_no, j.first_known, j.by_feed_id, j.by_file_id, j.by_line_no, j.byte_start,
            j.byte_end, cast(null as text) as sentence, j.fact_no
        from judged as j
        union all
        select
            null, 'count', i.state, i.bin_code, i.lot_code, i.anchor_at, i.class, 0, i.feed_id, i.document, i.line,
            i.file_id, i.line_no, i.known_from, null, null, null, i.byte_start, i.byte_end,
            'The count covers the product and does not list it: zero.', 0
        from implied as i
        union all
        select
            'quarantined', 'record', null, null, null, null, q.reason, null, f.feed_id, null, null, q.file_id,
            q.line_no, q.known_from, null, null, null, q.byte_start, q.byte_end, q.sentence, 0
        from {{ silver }}.records_set_aside(product, location, at_known) as q
        inner join {{ bronze }}.file as f on q.file_id = f.file_id
    )

    select
        l.reason is null,
        l.reason,
        l.kind,
        l.state,
        l.bin_code,
        l.lot_code,
        l.event_time,
        l.class,
        trim_scale(l.quantity),
        case
            when l.reason is null then
                trim_scale(sum(l.quantity) over (
                    partition by l.reason is null, l.state, l.bin_code, l.lot_code
                    order by l.kind, l.event_time, f.feed collate "C", l.document collate "C", l.line collate "C",
                        l.fact_no
                    rows between unbounded preceding and current row
                ))
        end,
        f.feed,
        l.document,
        l.line,
        {{ silver }}.shown_file_name(l.file_id),
        l.line_no,
        l.first_known,
        coalesce(b.feed, a.feeds),
        {{ silver }}.shown_file_name(l.by_file_id),
        l.by_line_no,
        l.sentence,
        l.file_id,
        l.byte_start,
        l.byte_end
    from listed as l
    left join {{ ops }}.feed as f on l.feed_id = f.feed_id
    left join {{ ops }}.feed as b on l.by_feed_id = b.feed_id
    left join lateral (
        select string_agg(distinct o.feed, ', ' order by o.feed) as feeds
        from judged as j
        inner join {{ ops }}.feed as o on j.feed_id = o.feed_id
        where
            l.reason = 'shadow' and j.fact_role = 'authority' and j.kind = l.kind
            and (j.class = l.class or l.kind = 'count')
    ) as a on true
    order by
        l.reason is not null, l.state, l.bin_code, l.lot_code, l.kind, l.event_time, f.feed collate "C",
        l.document collate "C", l.line collate "C", l.fact_no;
end
$$;
comment on function {{ gold }}.stock_explanation(timestamptz, bigint, text, text) is
'Every fact about a product at a place: counted, with a running balance, or not counted, and why.';

-- records_set_aside(product, location, at_known): records in quarantine that hold the product's code, another code or
-- the GTIN of it, and that name this place or none.
create or replace function {{ silver }}.records_set_aside(wanted_product text, wanted_location text, at_known bigint)
returns table (
    file_id bigint, record_no bigint, line_no bigint, byte_start bigint, byte_end bigint, reason text, sentence text,
    known_from bigint
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with

    code as (
        select wanted_product as code
        union
        select a.alias_code from {{ silver }}.alias as a where a.product_code = wanted_product
        union
        select p.gtin from {{ silver }}.dim_product as p where p.product_code = wanted_product and p.gtin <> ''
    )

    select q.file_id, q.record_no, q.line_no, q.byte_start, q.byte_end, q.reason, q.sentence, q.known_from
    from {{ silver }}.quarantine as q
    where
        q.known_from <= at_known
        and (q.known_to is null or q.known_to > at_known)
        and exists (select 1 from code as c where {{ silver }}.names_code(q.raw, c.code))
        and (
            {{ silver }}.names_code(q.raw, wanted_location)
            or not exists (
                select 1
                from {{ silver }}.location_key as k
                where k.location_code <> wanted_location and {{ silver }}.names_code(q.raw, k.location_code)
            )
        )
$$;
comment on function {{ silver }}.records_set_aside(text, text, bigint) is
'Records in quarantine at a load that name a product, and this place or none.';

-- record_bytes(file_id, byte_start, byte_end): a record as it was received, whatever its encoding.
create or replace function {{ bronze }}.record_bytes(wanted_file_id bigint, wanted_start bigint, wanted_end bigint)
returns bytea
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        substring(
            b.content
            from (wanted_start - b.byte_start + 1)::integer
            for (wanted_end - wanted_start)::integer
        )
    from {{ bronze }}.block as b
    where b.file_id = wanted_file_id and wanted_start >= b.byte_start and wanted_start < b.byte_end
$$;
comment on function {{ bronze }}.record_bytes(bigint, bigint, bigint) is 'The bytes of one record by its address.';
