-- The load transaction, step by step. The load copies a batch into pg_temp.stage_* and calls these in order.
-- Arrival order decides nothing: homes are the earliest by logical time and content, currency goes by revision.

-- place_staged(k, first): give every staged record its identity and decide which revision of each key is current.
-- Whatever has a smaller number than first was there before: from earlier loads, or copied by load/direct.py in this.
-- Writes: silver.record, silver.told_again; pg_temp.arrived (one row per staged revision), pg_temp.changed_record.
create or replace function {{ silver }}.place_staged(at_known bigint, before_staged bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select 1 from pg_temp.stage_record where is_keyless) then
        update pg_temp.stage_record as s
        set line = n.line
        from (
            select
                file_id, record_no,
                line || cast(content_hash as text) || '#' || row_number() over (
                    partition by file_id, epoch, document, line, content_hash order by record_no
                ) as line
            from pg_temp.stage_record
            where is_keyless
        ) as n
        where s.file_id = n.file_id and s.record_no = n.record_no;
    end if;

    -- Judged again and found wanting or excluded: what was accepted before is taken back, as if it had never been.
    insert into pg_temp.withdrawn
    with

    -- By itself first: the planner cannot know how few records are left, and would compare each with each.
    gone as materialized (
        select a.file_id, a.record_no
        from pg_temp.stage_again as a
        where not exists (
            select 1 from pg_temp.stage_record as s where s.file_id = a.file_id and s.record_no = a.record_no
        )
    )

    select r.record_id, r.feed_id, r.epoch, r.document, r.line
    from gone as g
    inner join {{ silver }}.record as r on g.file_id = r.file_id and g.record_no = r.record_no
    where not r.is_withdrawn;
    perform {{ silver }}.know_size('withdrawn');

    update {{ silver }}.record as r
    set is_withdrawn = true
    from pg_temp.withdrawn as w
    where r.record_id = w.record_id;

    -- Most revisions come once. Only of those whose content comes twice are the equal ones looked for: sorting a
    -- million keys to find that none is there twice would be most of a load.
    insert into pg_temp.twice
    select s.content_hash from pg_temp.stage_record as s group by s.content_hash having count(*) > 1;
    perform {{ silver }}.know_size('twice');

    insert into pg_temp.arrived
    with

    ranked as (
        select
            f.feed_id, s.*, f.logical_time, f.sha256,
            max(f.logical_time) over same_revision as last_file_at,
            row_number() over (
                partition by f.feed_id, s.epoch, s.document, s.line, s.content_hash
                order by f.logical_time nulls first, f.sha256, s.record_no
            ) as place,
            bool_or(s.is_again) over same_revision as is_judged_again,
            case
                when count(*) over same_revision > 1 then array_agg(s.file_id) over same_revision
            end as file_ids
        from pg_temp.twice as t
        inner join pg_temp.stage_record as s on t.content_hash = s.content_hash
        inner join {{ bronze }}.file as f on s.file_id = f.file_id
        window same_revision as (partition by f.feed_id, s.epoch, s.document, s.line, s.content_hash)
    ),

    revision as (
        select
            f.feed_id, s.*, f.logical_time, f.sha256, f.logical_time as last_file_at, s.is_again as is_judged_again,
            cast(null as bigint[]) as file_ids
        from pg_temp.stage_record as s
        inner join {{ bronze }}.file as f on s.file_id = f.file_id
        where not exists (select 1 from pg_temp.twice as t where t.content_hash = s.content_hash)
        union all
        select
            r.feed_id, r.file_id, r.record_no, r.line_no, r.byte_start, r.byte_end, r.epoch, r.document, r.line,
            r.content_hash, r.revision_no, r.updated_at, r.is_void, r.is_keyless, r.is_again, r.logical_time, r.sha256,
            r.last_file_at, r.is_judged_again, r.file_ids
        from ranked as r
        where r.place = 1
    )

    select
        a.*,
        coalesce(
            a.old_record_id, nextval(cast(pg_get_serial_sequence('{{ silver }}.record', 'record_id') as regclass))
        ) as record_id
    from (
        select
            r.feed_id, r.epoch, r.document, r.line, r.content_hash, trim_scale(r.revision_no) as revision_no,
            r.updated_at, r.last_file_at, r.is_void, r.file_id, r.record_no, r.line_no, r.byte_start, r.byte_end,
            r.logical_time, r.sha256, r.is_judged_again, r.file_ids, o.record_id as old_record_id,
            o.file_id as old_file_id, o.record_no as old_record_no, o.last_file_at as old_last_file_at
        from revision as r
        left join {{ silver }}.revision as o
            on
                r.feed_id = o.feed_id
                and r.epoch = o.epoch
                and r.document = o.document
                and r.line = o.line
                and r.content_hash = o.content_hash
        order by r.file_id, r.record_no
    ) as a;
    perform {{ silver }}.know_size('arrived');

    insert into {{ silver }}.record (
        record_id, feed_id, epoch, document, line, content_hash, revision_no, updated_at, file_at, is_void,
        is_current, file_id, record_no, line_no, byte_start, byte_end, known_from
    )
    overriding system value
    select
        record_id, feed_id, epoch, document, line, content_hash, revision_no, updated_at, logical_time, is_void,
        true, file_id, record_no, line_no, byte_start, byte_end, at_known
    from pg_temp.arrived
    where old_record_id is null;

    -- A known revision seen again: it may have an earlier home, or have been repeated by a later file.
    update {{ silver }}.record as r
    set
        file_id = a.file_id, file_at = a.logical_time, record_no = a.record_no, line_no = a.line_no,
        byte_start = a.byte_start, byte_end = a.byte_end
    from pg_temp.arrived as a
    inner join {{ bronze }}.file as o on a.old_file_id = o.file_id
    where
        r.record_id = a.old_record_id
        and row(coalesce(a.logical_time, '-infinity'), a.sha256, a.record_no)
        < row(coalesce(o.logical_time, '-infinity'), o.sha256, a.old_record_no);

    insert into {{ silver }}.told_again as t (record_id, last_file_at)
    select a.record_id, greatest(a.last_file_at, a.old_last_file_at)
    from pg_temp.arrived as a
    inner join {{ silver }}.record as r on a.record_id = r.record_id
    where
        (a.old_record_id is not null or a.last_file_at is distinct from a.logical_time)
        and greatest(a.last_file_at, a.old_last_file_at) > coalesce(r.file_at, '-infinity')
    on conflict (record_id) do update
        set last_file_at = excluded.last_file_at
        where t.last_file_at < excluded.last_file_at;

    perform {{ silver }}.note_copies();
    perform {{ silver }}.judge_copies_again(at_known);

    -- Withdrawn once and understood now: it counts again.
    insert into pg_temp.returned
    select r.record_id, r.feed_id, r.epoch, r.document, r.line
    from pg_temp.arrived as a
    inner join {{ silver }}.record as r on a.old_record_id = r.record_id
    where r.is_withdrawn;
    perform {{ silver }}.know_size('returned');

    update {{ silver }}.record as r
    set is_withdrawn = false
    from pg_temp.returned as t
    where r.record_id = t.record_id;

    -- Keys of which another revision is there: from before, or in this very load.
    insert into pg_temp.contested
    select r.feed_id, r.epoch, r.document, r.line
    from pg_temp.arrived as a
    inner join {{ silver }}.record as r
        on a.feed_id = r.feed_id and a.epoch = r.epoch and a.document = r.document and a.line = r.line
    where r.record_id <> a.record_id and r.record_id < before_staged
    union
    select a.feed_id, a.epoch, a.document, a.line
    from pg_temp.arrived as a
    group by a.feed_id, a.epoch, a.document, a.line
    having count(*) > 1
    union
    select w.feed_id, w.epoch, w.document, w.line from pg_temp.withdrawn as w
    union
    select t.feed_id, t.epoch, t.document, t.line from pg_temp.returned as t;
    perform {{ silver }}.know_size('contested');

    insert into pg_temp.currency
    select
        ranked.record_id,
        ranked.was_current,
        ranked.place = 1 and not ranked.is_withdrawn as is_current,
        ranked.place = 1 and not ranked.is_withdrawn and coalesce(ranked.is_tied, false) as is_conflict
    from (
        select
            r.record_id,
            r.is_current as was_current,
            r.is_withdrawn,
            row_number() over by_revision as place,
            lead(row(r.is_withdrawn, r.revision_no, r.updated_at, r.last_file_at)) over by_revision
            is not distinct from row(r.is_withdrawn, r.revision_no, r.updated_at, r.last_file_at) as is_tied
        from pg_temp.contested as c
        inner join {{ silver }}.revision as r
            on c.feed_id = r.feed_id and c.epoch = r.epoch and c.document = r.document and c.line = r.line
        window by_revision as (
            partition by r.feed_id, r.epoch, r.document, r.line
            order by
                r.is_withdrawn, r.revision_no desc nulls last, r.updated_at desc nulls last,
                r.last_file_at desc nulls last, r.content_hash desc
        )
    ) as ranked;
    perform {{ silver }}.know_size('currency');

    update {{ silver }}.record as r
    set is_current = c.is_current, is_conflict = c.is_conflict
    from pg_temp.currency as c
    where
        r.record_id = c.record_id
        and (r.is_current, r.is_conflict) is distinct from (c.is_current, c.is_conflict);

    -- What happens to the facts of a record: open (new or judged again), close, or open again as they were.
    -- First and apart what nobody contests, which is nearly all: nothing has to be looked up for it.
    insert into pg_temp.changed_record
    select
        a.record_id,
        a.file_id,
        a.record_no,
        true as takes_staged,
        false as replaces,
        not a.is_void as stands,
        true as is_new
    from pg_temp.arrived as a
    where
        a.old_record_id is null
        and not exists (select 1 from pg_temp.currency as c where c.record_id = a.record_id)
    union all
    select
        coalesce(a.record_id, c.record_id) as record_id,
        a.file_id,
        a.record_no,
        a.record_id is not null and (a.old_record_id is null or a.is_judged_again) as takes_staged,
        a.old_record_id is not null and a.is_judged_again as replaces,
        coalesce(c.is_current, r.is_current) and not r.is_void as stands,
        a.old_record_id is null and a.record_id is not null as is_new
    from (
        select n.* from pg_temp.arrived as n
        where
            (n.old_record_id is not null and n.is_judged_again)
            or (
                n.old_record_id is null
                and exists (select 1 from pg_temp.currency as c where c.record_id = n.record_id)
            )
    ) as a
    full join (
        select c.* from pg_temp.currency as c
        where
            c.was_current <> c.is_current
            or exists (
                select 1 from pg_temp.arrived as n where n.record_id = c.record_id and n.old_record_id is null
            )
    ) as c on a.record_id = c.record_id
    inner join {{ silver }}.record as r on r.record_id = coalesce(a.record_id, c.record_id);
end
$$;
comment on function {{ silver }}.place_staged(bigint, bigint) is
'Identity of what was staged: duplicates, revisions, current revision, first home.';

-- place_records(k, firsts, lasts): which records changed, and how. firsts and lasts are the ranges of the numbers of
-- the records that load/direct.py copied itself; they stand, unless a staged one of the same key says otherwise.
drop function if exists {{ silver }}.place_records(bigint);
create or replace function {{ silver }}.place_records(at_known bigint, firsts bigint[], lasts bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select 1 from pg_temp.stage_record) or exists (select 1 from pg_temp.stage_again) then
        perform {{ silver }}.place_staged(at_known, {{ silver }}.reserve_records(1));
    end if;

    insert into pg_temp.changed_record (record_id, takes_staged, replaces, stands, is_new)
    select n.record_id, false, false, true, true
    from unnest(firsts, lasts) as d (first_id, last_id)
    cross join lateral generate_series(d.first_id, d.last_id) as n (record_id)
    where not exists (select 1 from pg_temp.currency as c where c.record_id = n.record_id and not c.is_current);
    perform {{ silver }}.know_size('changed_record');
end
$$;
comment on function {{ silver }}.place_records(bigint, bigint[], bigint[]) is
'Identity of a batch: which records are new, which revisions came or went.';

-- touch_keys(): which stock keys the changed records concern, before or after, and which of them have to be computed
-- anew from their ledger. Where all that is new of a key is movements that came, what they add is noted in
-- pg_temp.moved, and refresh_position adds it. That would be wrong for keys whose older events mean something else now:
--   facts were closed or opened again, a count came, the code was merged or counted by its survivor, or a count of the
--   whole location speaks about goods that are known now to have been there before it.
create or replace function {{ silver }}.touch_keys()
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set work_mem = '256MB'
as $$
declare
    touched bigint;
    -- Numbers only grow: from here on all records are this load's, and of facts it is a range of their index.
    first_new constant bigint := (select min(c.record_id) from pg_temp.changed_record as c where c.is_new);
begin
    insert into pg_temp.touched_key
    select m.product_id, m.location_id
    from pg_temp.changed_record as c
    inner join {{ silver }}.fact_movement as m on c.record_id = m.record_id
    where not c.is_new
    union
    select o.product_id, o.location_id
    from pg_temp.changed_record as c
    inner join {{ silver }}.fact_count as o on c.record_id = o.record_id
    union
    -- A whole-location count speaks about every product that was ever there.
    select p.product_id, p.location_id
    from {{ silver }}.position as p
    where p.location_id in (
        select o.location_id
        from pg_temp.changed_record as c
        inner join {{ silver }}.fact_count as o on c.record_id = o.record_id
        where o.scope = 'location' and o.absence = 'zero'
    );
    perform {{ silver }}.touch_members();

    insert into pg_temp.moved
    select
        m.product_id, m.location_id, m.state, m.bin_code, m.lot_code,
        coalesce(sum(case when m.role = 'authority' and m.known_to is null then m.quantity end), 0) as quantity,
        min(case when m.role = 'authority' and m.known_to is null then m.event_time end) as first_at,
        max(case when m.role = 'authority' and m.known_to is null then m.event_time end) as last_at
    from {{ silver }}.fact_movement as m
    where m.record_id >= first_new
    group by m.product_id, m.location_id, m.state, m.bin_code, m.lot_code;
    perform {{ silver }}.know_size('moved');

    insert into pg_temp.recomputed_key
    select t.product_id, t.location_id from pg_temp.touched_key as t
    union
    select m.product_id, m.location_id
    from {{ silver }}.merge_link as l
    inner join {{ silver }}.product_key as k on l.member_code = k.product_code
    inner join pg_temp.moved as m on k.product_id = m.product_id
    union
    select m.product_id, m.location_id
    from (
        select n.location_id, o.last_at
        from (select distinct y.location_id from pg_temp.moved as y) as n
        cross join lateral (
            select c.event_time as last_at
            from {{ silver }}.fact_count as c
            where
                c.location_id = n.location_id and c.scope = 'location' and c.absence = 'zero'
                and c.known_to is null and c.role = 'authority'
            order by c.event_time desc
            limit 1
        ) as o
    ) as w
    inner join pg_temp.moved as m on w.location_id = m.location_id and w.last_at > m.first_at;
    -- What moved before its key was counted: nearly always there is none, and an index says so.
    if (select max(p.anchor_at) from {{ silver }}.position as p) >= (select min(m.first_at) from pg_temp.moved as m) then
        insert into pg_temp.recomputed_key
        select m.product_id, m.location_id
        from pg_temp.moved as m
        inner join {{ silver }}.position as p
            on
                m.product_id = p.product_id
                and m.location_id = p.location_id
                and m.state = p.state
                and m.bin_code = p.bin_code
                and m.lot_code = p.lot_code
        where p.anchor_at >= m.first_at
        except
        select r.product_id, r.location_id from pg_temp.recomputed_key as r;
    end if;
    perform {{ silver }}.know_size('recomputed_key');

    insert into pg_temp.touched_key
    select m.product_id, m.location_id from pg_temp.moved as m
    except
    select t.product_id, t.location_id from pg_temp.touched_key as t;
    perform {{ silver }}.know_size('touched_key');
    select count(*) into touched from pg_temp.touched_key;
    return touched;
end
$$;
comment on function {{ silver }}.touch_keys() is
'Fill pg_temp.touched_key, moved and recomputed_key from the changed records.';

-- set_aside(k): keep what could not be judged; close what was judged again.
create or replace function {{ silver }}.set_aside(at_known bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update {{ silver }}.quarantine as q
    set known_to = at_known
    from (
        select file_id, record_no from pg_temp.stage_again
    ) as a
    where
        q.file_id = a.file_id
        and q.record_no = a.record_no
        and q.known_to is null
        and not exists (
            select 1
            from pg_temp.stage_quarantine as s
            where
                s.file_id = q.file_id
                and s.record_no = q.record_no
                and s.reason = q.reason
                and s.sentence = q.sentence
        );

    -- Judged by a newer contract with the same verdict: remember that contract, so that it is not tried again.
    update {{ silver }}.quarantine as q
    set contract_hash = d.contract_hash
    from pg_temp.stage_again as a
    inner join {{ bronze }}.file as f on a.file_id = f.file_id
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    where
        q.file_id = a.file_id and q.record_no = a.record_no and q.known_to is null
        and q.contract_hash <> d.contract_hash;

    insert into {{ silver }}.quarantine
    select
        s.file_id, s.record_no, s.line_no, s.byte_start, s.byte_end, s.raw, s.reason, s.sentence,
        s.wants_set, s.wants_key, d.contract_hash, at_known, null
    from pg_temp.stage_quarantine as s
    inner join {{ bronze }}.file as f on s.file_id = f.file_id
    inner join {{ ops }}.feed as d on f.feed_id = d.feed_id
    where not exists (
        select 1
        from {{ silver }}.quarantine as q
        where q.file_id = s.file_id and q.record_no = s.record_no and q.known_to is null
    );

    insert into {{ silver }}.file_reference (file_id, set_name, key)
    select distinct s.file_id, s.set_name, s.key
    from pg_temp.stage_file_reference as s
    on conflict do nothing;
end
$$;
comment on function {{ silver }}.set_aside(bigint) is
'Move the staged quarantine in; close rows that were judged again.';
