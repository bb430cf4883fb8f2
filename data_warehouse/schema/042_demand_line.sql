-- silver.demand_line: what became of every line of a customer's order. Kept by the load, order by order: see
-- 044_order_lines.sql.

-- Grain: order, order line, product and location that a customer's order or cart ever named.
create table if not exists {{ silver }}.demand_line (
    order_document text not null,
    order_line text not null,
    product_id integer not null,
    location_id integer not null,
    channel_code text,
    reserved_at timestamptz,
    due_at timestamptz,
    expires_at timestamptz,
    is_soft boolean not null,
    reserved numeric not null,
    cancelled numeric not null,
    shipped numeric not null,
    open_quantity numeric not null,
    known bigint not null,
    primary key (order_document, order_line, product_id, location_id)
);
create index if not exists demand_line_open on {{ silver }}.demand_line (product_id, location_id)
where open_quantity > 0;
comment on table {{ silver }}.demand_line is
'Every line of customers'' orders and carts, netted. open_quantity counts until expires_at.';

create index if not exists fact_demand_order on {{ silver }}.fact_demand (order_document, product_id);
create index if not exists fact_movement_order on {{ silver }}.fact_movement (order_document, product_id)
where order_document is not null and movement_class in ('shipment', 'sale');

-- demand_line_from_facts(): the lines of the orders in pg_temp.touched_order, from the current facts.
-- A cart counts until its order reserves. Shipped is what the order's feed says or what authoritative shipments and
-- sales of the order took away, whichever is more: told twice is shipped once. Movements that do not name the line, or
-- another place, close lines of the same order and product in order of line and place.
create or replace function {{ silver }}.demand_line_from_facts()
returns table (
    order_document text,
    order_line text,
    product_id integer,
    location_id integer,
    channel_code text,
    reserved_at timestamptz,
    due_at timestamptz,
    expires_at timestamptz,
    is_soft boolean,
    reserved numeric,
    cancelled numeric,
    shipped numeric,
    open_quantity numeric
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with

    summed as (
        select
            d.order_document,
            d.order_line,
            d.product_id,
            d.location_id,
            l.location_code,
            sum(d.quantity) filter (where d.event = 'reserve' and not coalesce(d.is_soft, false)) as hard,
            sum(d.quantity) filter (where d.event = 'cart' or (d.event = 'reserve' and d.is_soft)) as soft,
            coalesce(sum(d.quantity) filter (where d.event = 'cancel'), 0) as cancelled,
            coalesce(sum(d.quantity) filter (where d.event = 'ship'), 0) as shipped,
            max(d.channel_code) as channel_code,
            min(d.event_time) filter (where d.event in ('reserve', 'cart')) as reserved_at,
            max(d.due_at) as due_at,
            case
                when bool_and(d.expires_at is not null) filter (where d.event in ('reserve', 'cart'))
                    then max(d.expires_at) filter (where d.event in ('reserve', 'cart'))
            end as expires_at
        from pg_temp.touched_order as t
        inner join {{ silver }}.fact_demand as d
            on t.order_document = d.order_document
        inner join {{ silver }}.location_key as l on d.location_id = l.location_id
        where d.known_to is null and d.role = 'authority'
        group by d.order_document, d.order_line, d.product_id, d.location_id, l.location_code
    ),

    reserved as (
        select
            s.*,
            greatest(0, coalesce(s.hard, s.soft, 0) - s.cancelled) as wanted
        from summed as s
    ),

    movement as (
        select m.order_document, coalesce(m.order_line, '') as order_line, m.product_id, -sum(m.quantity) as taken
        from (select distinct r.order_document, r.product_id from reserved as r) as t
        inner join {{ silver }}.fact_movement as m
            on t.order_document = m.order_document and t.product_id = m.product_id
        where
            m.known_to is null
            and m.role = 'authority'
            and m.order_document is not null
            and m.movement_class in ('shipment', 'sale')
        group by m.order_document, coalesce(m.order_line, ''), m.product_id
    ),

    -- Hand out what was taken, first to the lines that movements name, then to the others in their order.
    given_by_line as (
        select
            r.*,
            greatest(0, least(
                r.wanted,
                coalesce(greatest(0, m.taken), 0) - (sum(r.wanted) over (
                    partition by r.order_document, r.order_line, r.product_id
                    order by r.location_code
                    rows between unbounded preceding and current row
                ) - r.wanted)
            )) as given
        from reserved as r
        left join movement as m
            on
                r.order_document = m.order_document
                and r.order_line = m.order_line
                and r.product_id = m.product_id
                and m.order_line <> ''
    ),

    given_by_order as (
        select
            r.*,
            greatest(0, least(
                r.wanted - r.given,
                coalesce(greatest(0, m.taken), 0) - (sum(r.wanted - r.given) over (
                    partition by r.order_document, r.product_id
                    order by r.order_line, r.location_code
                    rows between unbounded preceding and current row
                ) - (r.wanted - r.given))
            )) as given_too
        from given_by_line as r
        left join movement as m
            on r.order_document = m.order_document and r.product_id = m.product_id and m.order_line = ''
    )

    select
        g.order_document,
        g.order_line,
        g.product_id,
        g.location_id,
        g.channel_code,
        g.reserved_at,
        g.due_at,
        g.expires_at,
        g.hard is null,
        coalesce(g.hard, g.soft, 0),
        g.cancelled,
        greatest(g.shipped, g.given + g.given_too),
        greatest(0, coalesce(g.hard, g.soft, 0) - g.cancelled - greatest(g.shipped, g.given + g.given_too))
    from given_by_order as g;
end
$$;
comment on function {{ silver }}.demand_line_from_facts() is
'Lines of the customers'' orders in pg_temp.touched_order, netted from the current facts.';

-- refresh_demand_lines(k): compute the lines of the touched orders anew; one that says the same keeps its row.
create or replace function {{ silver }}.refresh_demand_lines(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    changed bigint;
begin
    create temporary table fresh_line on commit drop as select * from {{ silver }}.demand_line_from_facts();
    delete from {{ silver }}.demand_line as o
    using pg_temp.touched_order as t
    where
        o.order_document = t.order_document
        and not exists (
            select 1 from pg_temp.fresh_line as f
            where
                f.order_document = o.order_document and f.order_line = o.order_line
                and f.product_id = o.product_id and f.location_id = o.location_id
        );
    insert into {{ silver }}.demand_line as o
    select f.*, at_known from pg_temp.fresh_line as f
    on conflict (order_document, order_line, product_id, location_id) do update
        set
            channel_code = excluded.channel_code, reserved_at = excluded.reserved_at, due_at = excluded.due_at,
            expires_at = excluded.expires_at, is_soft = excluded.is_soft, reserved = excluded.reserved,
            cancelled = excluded.cancelled, shipped = excluded.shipped, open_quantity = excluded.open_quantity,
            known = excluded.known
        where
            (
                o.channel_code, o.reserved_at, o.due_at, o.expires_at, o.is_soft, o.reserved, o.cancelled, o.shipped,
                o.open_quantity
            ) is distinct from (
                excluded.channel_code, excluded.reserved_at, excluded.due_at, excluded.expires_at, excluded.is_soft,
                excluded.reserved, excluded.cancelled, excluded.shipped, excluded.open_quantity
            );
    get diagnostics changed = row_count;
    drop table pg_temp.fresh_line;
    return changed;
end
$$;
comment on function {{ silver }}.refresh_demand_lines(bigint) is
'Recompute the customers'' orders in pg_temp.touched_order; returns how many lines changed.';
