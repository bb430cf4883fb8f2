-- Law 11: stock_as_of is stable. Each load keeps a few answers, and later loads ask some of them again.
-- Which ones depends on the load's number and the codes, and on nothing else.
create table if not exists {{ ops }}.answer_sample (
    at_known bigint not null,
    at_time timestamptz not null,
    product_id integer not null,
    location_id integer not null,
    answer text not null,
    primary key (at_known, at_time, product_id, location_id)
);
comment on table {{ ops }}.answer_sample is
'Answers of stock_as_of that were given once. Grain: load, instant, product and location.';

-- stock_answers(...): the answer for each wanted key as a text that compares exactly.
create or replace function {{ ops }}.stock_answers(
    products integer[], locations integer[], at_time timestamptz, at_known bigint
)
returns table (product_id integer, location_id integer, answer text)
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
    select
        w.product_id, w.location_id,
        coalesce(
            string_agg(
                concat_ws(
                    ' ', s.state, s.bin_code, s.lot_code, trim_scale(s.quantity), s.anchor_at,
                    trim_scale(s.anchor_quantity), s.last_movement_at
                ),
                e'\n' order by s.state, s.bin_code collate "C", s.lot_code collate "C"
            ) filter (where s.state is not null),
            'nothing'
        )
    from unnest(products, locations) as w (product_id, location_id)
    left join {{ silver }}.stock_of_few_keys(products, locations, at_time, at_known) as s
        on w.product_id = s.product_id and w.location_id = s.location_id
    group by w.product_id, w.location_id
$$;
comment on function {{ ops }}.stock_answers(integer[], integer[], timestamptz, bigint) is
'What stock_as_of says of each wanted key, as one text.';

-- keep_answers(products, at_known): keep a few answers of this load, of all time and of an instant in the middle.
-- Again: a load's answers are kept once.
create or replace function {{ ops }}.keep_answers(products integer[], at_known bigint)
returns void
language plpgsql -- whose plans are kept for the session: each load asks
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    with

    sample as (
        select distinct s.product_id, s.location_id, s.last_movement_at, s.place
        from (
            select
                p.product_id, p.location_id, p.last_movement_at,
                row_number() over (
                    order by (p.known = keep_answers.at_known) desc,
                        md5(k.product_code || l.location_code || keep_answers.at_known), p.state, p.bin_code, p.lot_code
                ) as place
            from {{ silver }}.position as p
            inner join {{ silver }}.product_key as k on p.product_id = k.product_id
            inner join {{ silver }}.location_key as l on p.location_id = l.location_id
            where p.product_id = any (keep_answers.products[1:20])
        ) as s
        where s.place <= 8
    ),

    wanted as (
        select array_agg(s.product_id) as products, array_agg(s.location_id) as locations
        from (select distinct s.product_id, s.location_id from sample as s) as s
    ),

    instant as (
        select timestamptz 'infinity' as at_time
        union
        select max(s.last_movement_at) - interval '1 day' from sample as s where s.last_movement_at is not null
    )

    insert into {{ ops }}.answer_sample (at_known, at_time, product_id, location_id, answer)
    select keep_answers.at_known, i.at_time, a.product_id, a.location_id, a.answer
    from wanted as w
    cross join instant as i
    cross join lateral {{ ops }}.stock_answers(w.products, w.locations, i.at_time, keep_answers.at_known) as a
    where i.at_time is not null
    on conflict do nothing;
end
$$;
comment on function {{ ops }}.keep_answers(integer[], bigint) is 'Keep a few answers of stock_as_of for law 11.';

-- loads_to_ask(at_known, asked): loads that kept answers: for each of `asked` numbers drawn by a hash the next one from
-- it on, so that what it costs does not follow how many loads there were; null asks all of them.
create or replace function {{ ops }}.loads_to_ask(at_known bigint, asked integer)
returns table (earlier bigint)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if asked is null then
        return query
        select distinct a.at_known from {{ ops }}.answer_sample as a where a.at_known <= loads_to_ask.at_known;
        return;
    end if;
    return query
    select distinct d.at_known
    from generate_series(1, asked) as n
    cross join lateral (
        select a.at_known
        from {{ ops }}.answer_sample as a
        where
            a.at_known >= abs(hashint8(loads_to_ask.at_known * 3 + n)::bigint) % greatest(loads_to_ask.at_known, 1)
            and a.at_known <= loads_to_ask.at_known
        order by a.at_known
        limit 1
    ) as d;
end
$$;
comment on function {{ ops }}.loads_to_ask(bigint, integer) is 'Earlier loads whose answers law 11 asks for again.';

-- Law 11: an answer once given is given again. asked: how many earlier loads are asked; null asks all of them.
create or replace function {{ ops }}.law_11_as_of(at_known bigint, asked integer default 2)
returns table (subject text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with

    given as (
        select
            a.at_known, a.at_time, array_agg(a.product_id order by a.product_id, a.location_id) as products,
            array_agg(a.location_id order by a.product_id, a.location_id) as locations
        from {{ ops }}.loads_to_ask(law_11_as_of.at_known, law_11_as_of.asked) as e
        cross join lateral (
            select s.* from {{ ops }}.answer_sample as s where s.at_known = e.earlier
            offset 0
        ) as a
        group by a.at_known, a.at_time
    ),

    -- By itself first: joined with what was said then, each key would be asked for alone.
    said_now as materialized (
        select g.at_known, g.at_time, n.product_id, n.location_id, n.answer
        from given as g
        cross join lateral {{ ops }}.stock_answers(g.products, g.locations, g.at_time, g.at_known) as n
    )

    select
        k.product_code || ' at ' || l.location_code || ' as of ' || o.at_time || ' and load ' || o.at_known || ' was '
        || replace(o.answer, e'\n', ', ') || ', and is now ' || replace(n.answer, e'\n', ', ')
    from said_now as n
    cross join lateral (
        select s.* from {{ ops }}.answer_sample as s
        where
            s.at_known = n.at_known
            and s.at_time = n.at_time
            and s.product_id = n.product_id
            and s.location_id = n.location_id
        offset 0
    ) as o
    inner join {{ silver }}.product_key as k on o.product_id = k.product_id
    inner join {{ silver }}.location_key as l on o.location_id = l.location_id
    where o.answer <> n.answer;
end
$$;
comment on function {{ ops }}.law_11_as_of(bigint, integer) is 'Answers of stock_as_of that are not given again.';
