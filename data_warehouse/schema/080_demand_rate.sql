-- silver.demand_rate: how much of a product is asked for a day, where. What may have changed is measured anew each time
-- gold is published.
-- Demand is what left by sale or shipment on authority; returns do not take it back. Only days count on which there was
-- something to sell: what an empty shelf did not sell tells nothing of what was wanted.
-- Grain: product (with what is merged into it) and location that sold in the window.
create table if not exists {{ silver }}.demand_rate (
    product_code text not null,
    location_code text not null,
    first_day date not null,
    last_day date not null,
    active_days integer not null default 0,
    in_stock_days integer not null,
    demand_days integer not null,
    demand numeric not null,
    returned numeric not null default 0,
    mean_daily numeric not null,
    variance_daily numeric not null,
    primary key (product_code, location_code)
);
comment on table {{ silver }}.demand_rate is
'Mean and variance of daily demand over the days of the window on which there was stock.';
comment on column {{ silver }}.demand_rate.active_days is
'Days of the window from the first on which anything is known of the product there.';
comment on column {{ silver }}.demand_rate.in_stock_days is 'Days of the window with stock, or on which some left.';
comment on column {{ silver }}.demand_rate.demand_days is 'Days of the window on which some left.';
comment on column {{ silver }}.demand_rate.returned is 'What came back from customers in the window.';
comment on column {{ silver }}.demand_rate.variance_daily is
'Sample variance over the in-stock days; zero where there is but one.';

-- demand_rates(): the row of silver.demand_rate of each product and location that sold, from the steps.
-- Nothing is written out day by day: a span between two steps counts as many days as it is long.
create or replace function {{ silver }}.demand_rates()
returns setof {{ silver }}.demand_rate
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    with

    by_day as (
        select
            t.family_id, t.location_id, t.day, sum(t.change) as change,
            max(cast(t.is_counted as integer)) as is_counted, greatest(0, sum(t.demand)) as demand,
            sum(t.returned) as returned
        from {{ silver }}.stock_steps() as t
        group by t.family_id, t.location_id, t.day
    ),

    -- One window for all of it, so that the rows are gone through once.
    summed as (
        select
            b.*,
            sum(b.change) over so_far as on_hand,
            sum(b.is_counted) over so_far as counts,
            lead(b.day) over so_far as next_day,
            row_number() over so_far as place
        from by_day as b
        window
            so_far as (
                partition by b.family_id, b.location_id
                order by b.day
                rows between unbounded preceding and current row
            )
    ),

    -- What was never counted and stands below zero has sold what no record brought: it was there.
    opened as (
        select
            s.*,
            s.on_hand > 0 or (s.on_hand < 0 and s.counts = 0) as is_there,
            s.on_hand > s.change or (s.on_hand < s.change and s.counts = s.is_counted) as was_there
        from summed as s
    ),

    -- Each row says how it was up to the next; the last one, up to the end of the window.
    counted as (
        select
            o.family_id,
            o.location_id,
            min(o.day) as first_step,
            bool_or(o.place = 1 and o.demand = 0) as begins_idle,
            coalesce(sum(o.next_day - o.day) filter (where o.is_there), 0)
            + count(*) filter (where o.demand > 0 and not o.was_there) as in_stock_days,
            max(o.day) filter (where o.is_there and o.next_day is null) as there_since,
            count(*) filter (where o.demand > 0) as demand_days,
            sum(o.demand) as demand,
            sum(o.returned) as returned,
            sum(o.demand * o.demand) as squares
        from opened as o
        group by o.family_id, o.location_id
    ),

    placed as (
        select
            c.*,
            p.location_code,
            p.first_day,
            p.last_day,
            p.last_day + 1 - greatest(p.first_day, c.first_step)
            - case when c.first_step >= p.first_day and c.begins_idle then 1 else 0 end as active_days,
            c.in_stock_days + coalesce(p.last_day - c.there_since, 0) as days
        from counted as c
        inner join pg_temp.rate_place as p on c.location_id = p.location_id
        where c.demand > 0
    )

    select
        k.product_code, c.location_code, c.first_day, c.last_day, c.active_days, cast(c.days as integer),
        cast(c.demand_days as integer), trim_scale(c.demand), trim_scale(c.returned),
        trim_scale(round(c.demand / c.days, 9)),
        case
            when c.days > 1
                then trim_scale(round((c.squares * c.days - c.demand * c.demand) / (c.days * (c.days - 1)), 9))
            else 0
        end
    from placed as c
    inner join {{ silver }}.product_key as k on c.family_id = k.product_id;
end
$$;
comment on function {{ silver }}.demand_rates() is 'Demand of what sold in the window, by product and location.';

-- drop_rates(): take off what was measured anew and has no rate any more.
-- Reads: pg_temp.rate_place, rate_due_key, fresh_rate.
create or replace function {{ silver }}.drop_rates()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select 1 from pg_temp.rate_place as p where not p.is_whole) then
        delete from {{ silver }}.demand_rate as o
        where not exists (
            select 1 from pg_temp.fresh_rate as f
            where f.product_code = o.product_code and f.location_code = o.location_code
        );
        return;
    end if;
    delete from {{ silver }}.demand_rate as o
    using pg_temp.rate_place as p
    where
        p.is_whole and o.location_code = p.location_code
        and not exists (
            select 1 from pg_temp.fresh_rate as f
            where f.product_code = o.product_code and f.location_code = o.location_code
        );
    delete from {{ silver }}.demand_rate as o
    using
        pg_temp.rate_due_key as d,
        {{ silver }}.product_key as k,
        pg_temp.rate_place as p
    where
        d.product_id = k.product_id and d.location_id = p.location_id
        and o.product_code = k.product_code and o.location_code = p.location_code
        and not exists (
            select 1 from pg_temp.fresh_rate as f
            where f.product_code = o.product_code and f.location_code = o.location_code
        );
end
$$;
comment on function {{ silver }}.drop_rates() is 'Delete the rates of what does not sell any more.';

-- refresh_demand_rate(days): measure the trailing days anew, of places whose window moved on and of keys whose facts
-- changed since the last time (silver.take_due): every other rate is what it would be if it were measured now.
-- Reads: fact_movement, fact_count, position, rate_due, rate_basis.   Used by: the flow, before gold is read.
-- Again: the same facts give the same rows; a row that says the same is not written again.
create or replace function {{ silver }}.refresh_demand_rate(days integer default 91)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    changed bigint;
    added bigint;
begin
    if days is null or days < 1 then
        raise exception 'demand is measured over one day at least, not %', coalesce(cast(days as text), 'null')
            using errcode = 'invalid_parameter_value';
    end if;
    perform {{ silver }}.note_sold(days);
    perform {{ silver }}.note_observed();
    create temporary table fresh_rate on commit drop as select * from {{ silver }}.demand_rates();
    analyze pg_temp.fresh_rate;

    perform {{ silver }}.drop_rates();
    update {{ silver }}.demand_rate as o
    set
        first_day = f.first_day, last_day = f.last_day, active_days = f.active_days,
        in_stock_days = f.in_stock_days, demand_days = f.demand_days, demand = f.demand,
        returned = f.returned, mean_daily = f.mean_daily, variance_daily = f.variance_daily
    from pg_temp.fresh_rate as f
    where
        o.product_code = f.product_code and o.location_code = f.location_code
        and row(o.*) is distinct from row(f.*);
    get diagnostics changed = row_count;

    -- In the order of their key: the index grows at its end, and most of all when all of them are new.
    insert into {{ silver }}.demand_rate
    select f.* from pg_temp.fresh_rate as f
    where not exists (
        select 1 from {{ silver }}.demand_rate as o
        where o.product_code = f.product_code and o.location_code = f.location_code
    )
    order by f.product_code, f.location_code;
    get diagnostics added = row_count;
    drop table pg_temp.fresh_rate, pg_temp.rate_observed, pg_temp.rate_key, pg_temp.rate_move, pg_temp.rate_place,
        pg_temp.rate_due_key, pg_temp.rate_member;
    return changed + added;
end
$$;
comment on function {{ silver }}.refresh_demand_rate(integer) is
'Measure demand over the trailing full business days anew; returns how many rows changed.';

-- A warehouse of an earlier version has the facts and not the rates yet.
do $$
begin
    if not exists (select 1 from {{ silver }}.demand_rate) then
        perform {{ silver }}.refresh_demand_rate();
    end if;
end
$$;
