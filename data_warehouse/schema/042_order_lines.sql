-- silver.demand_line, silver.supply_line: what became of every order line. Kept by the load, order by order, from the
-- facts, so that a promise reads only what is open. Expiry is not written down: it comes with time, without a load.
-- An order is computed anew as a whole whenever a fact about it changes: adding up can drift, this cannot.

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

-- Grain: order, order line, product and location that a purchase order, notice or receipt ever named.
create table if not exists {{ silver }}.supply_line (
    order_document text not null,
    order_line text not null,
    product_id integer not null,
    location_id integer not null,
    supplier_code text,
    ordered numeric,
    noticed numeric,
    received numeric not null,
    rejected numeric not null,
    status text not null,
    ordered_at timestamptz,
    due_at timestamptz,
    first_received_at timestamptz,
    last_received_at timestamptz,
    unit_cost numeric,
    net_amount numeric,
    currency text,
    feed_id integer not null,
    open_quantity numeric not null,
    known bigint not null,
    primary key (order_document, order_line, product_id, location_id)
);
create index if not exists supply_line_open on {{ silver }}.supply_line (product_id, location_id)
where open_quantity > 0;
comment on table {{ silver }}.supply_line is
'Every line of purchase orders, netted: what is still to come is open_quantity.';

create index if not exists fact_demand_order on {{ silver }}.fact_demand (order_document, product_id);
create index if not exists fact_supply_order on {{ silver }}.fact_supply (order_document, product_id);
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

-- supply_line_from_facts(): the lines of the purchase orders in pg_temp.touched_order, from the current facts.
-- A notice replaces what the order let expect, it never adds to it; the latest notice document counts. Received is
-- what receipt documents say. A cancelled, closed or draft line expects nothing; nor does what a notice names on it of
-- another product or for another place, which nobody ordered.
create or replace function {{ silver }}.supply_line_from_facts()
returns table (
    order_document text,
    order_line text,
    product_id integer,
    location_id integer,
    supplier_code text,
    ordered numeric,
    noticed numeric,
    received numeric,
    rejected numeric,
    status text,
    ordered_at timestamptz,
    due_at timestamptz,
    first_received_at timestamptz,
    last_received_at timestamptz,
    unit_cost numeric,
    net_amount numeric,
    currency text,
    feed_id integer,
    open_quantity numeric
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with

    -- Of each event, the latest statement: what it says of status, price and date holds for the line.
    ranked as (
        select
            s.*,
            r.feed_id,
            e.feed,
            row_number() over (
                partition by s.order_document, s.order_line, s.product_id, s.location_id, s.event
                order by s.event_time desc, r.content_hash desc, s.fact_no
            ) as place,
            dense_rank() over (
                partition by s.order_document, s.order_line, s.product_id, s.location_id, s.event
                order by s.event_time desc, s.notice_document desc nulls last
            ) as document_place
        from pg_temp.touched_order as t
        inner join {{ silver }}.fact_supply as s
            on t.order_document = s.order_document
        inner join {{ silver }}.record as r on s.record_id = r.record_id
        inner join {{ ops }}.feed as e on r.feed_id = e.feed_id
        where s.known_to is null and s.role = 'authority'
    ),

    summed as (
        select
            k.order_document,
            k.order_line,
            k.product_id,
            k.location_id,
            coalesce(
                max(k.supplier_code) filter (where k.event = 'order' and k.place = 1), max(k.supplier_code)
            ) as supplier_code,
            sum(k.quantity) filter (where k.event = 'order') as ordered,
            sum(k.quantity) filter (where k.event = 'notice' and k.document_place = 1) as noticed,
            coalesce(sum(k.quantity) filter (where k.event = 'receipt'), 0) as received,
            coalesce(sum(k.rejected_quantity) filter (where k.event = 'receipt'), 0) as rejected,
            case
                when bool_or(k.event = 'cancel') then 'cancelled'
                when bool_or(k.event = 'close') then 'closed'
                else coalesce(
                    max(k.status) filter (where k.event = 'order' and k.place = 1),
                    case when bool_or(k.event = 'order') then 'open' end
                )
            end as told_status,
            min(k.event_time) filter (where k.event = 'order') as ordered_at,
            coalesce(
                max(k.due_at) filter (where k.event = 'notice' and k.document_place = 1),
                min(k.due_at) filter (where k.event = 'order')
            ) as due_at,
            min(k.event_time) filter (where k.event = 'receipt') as first_received_at,
            max(k.event_time) filter (where k.event = 'receipt') as last_received_at,
            max(k.unit_cost) filter (where k.event = 'order' and k.place = 1) as unit_cost,
            sum(k.net_amount) filter (where k.event = 'order') as net_amount,
            coalesce(
                max(k.currency) filter (where k.event = 'order' and k.place = 1), max(k.currency)
            ) as currency,
            -- Whose contract says how long late goods are waited for: the order's, else whoever speaks of the line.
            (array_agg(k.feed_id order by k.event = 'order' desc, k.feed))[1] as feed_id
        from ranked as k
        group by k.order_document, k.order_line, k.product_id, k.location_id
    ),

    judged as (
        select
            s.*,
            coalesce(
                s.told_status,
                case
                    when s.order_line <> '' and min(s.told_status) over in_line = max(s.told_status) over in_line
                        then max(s.told_status) over in_line
                end,
                'open'
            ) as status
        from summed as s
        window in_line as (partition by s.order_document, s.order_line)
    )

    select
        j.order_document, j.order_line, j.product_id, j.location_id, j.supplier_code, j.ordered, j.noticed, j.received,
        j.rejected, j.status, j.ordered_at, j.due_at, j.first_received_at, j.last_received_at, j.unit_cost,
        j.net_amount, j.currency, j.feed_id,
        case when j.status <> 'open' then 0 else greatest(0, coalesce(j.noticed, j.ordered, 0) - j.received) end
    from judged as j;
end
$$;
comment on function {{ silver }}.supply_line_from_facts() is
'Lines of the purchase orders in pg_temp.touched_order, netted from the current facts.';

-- touch_orders(): which orders the changed records concern, before or after.
create or replace function {{ silver }}.touch_orders()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    create temporary table touched_order on commit drop as
    select d.order_document
    from pg_temp.changed_record as c
    inner join {{ silver }}.fact_demand as d on c.record_id = d.record_id
    union
    select s.order_document
    from pg_temp.changed_record as c
    inner join {{ silver }}.fact_supply as s on c.record_id = s.record_id
    union
    -- Goods that leave close an order's line; tickets of a till are orders of nobody.
    select m.order_document
    from pg_temp.changed_record as c
    inner join {{ silver }}.fact_movement as m on c.record_id = m.record_id
    where
        m.order_document is not null
        and m.movement_class in ('shipment', 'sale')
        and exists (
            select 1 from {{ silver }}.fact_demand as d
            where d.order_document = m.order_document and d.product_id = m.product_id
        );
    analyze pg_temp.touched_order;
end
$$;
comment on function {{ silver }}.touch_orders() is 'Fill pg_temp.touched_order from the changed records.';

-- refresh_order_lines(k): compute the lines of the touched orders anew; a line that says the same keeps its row.
create or replace function {{ silver }}.refresh_order_lines(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    demands bigint;
    supplies bigint;
begin
    if not exists (select 1 from pg_temp.touched_order) then
        return 0;
    end if;
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
    get diagnostics demands = row_count;
    drop table pg_temp.fresh_line;

    create temporary table fresh_line on commit drop as select * from {{ silver }}.supply_line_from_facts();
    delete from {{ silver }}.supply_line as o
    using pg_temp.touched_order as t
    where
        o.order_document = t.order_document
        and not exists (
            select 1 from pg_temp.fresh_line as f
            where
                f.order_document = o.order_document and f.order_line = o.order_line
                and f.product_id = o.product_id and f.location_id = o.location_id
        );
    insert into {{ silver }}.supply_line as o
    select f.*, at_known from pg_temp.fresh_line as f
    on conflict (order_document, order_line, product_id, location_id) do update
        set
            supplier_code = excluded.supplier_code, ordered = excluded.ordered, noticed = excluded.noticed,
            received = excluded.received, rejected = excluded.rejected, status = excluded.status,
            ordered_at = excluded.ordered_at, due_at = excluded.due_at,
            first_received_at = excluded.first_received_at, last_received_at = excluded.last_received_at,
            unit_cost = excluded.unit_cost, net_amount = excluded.net_amount, currency = excluded.currency,
            feed_id = excluded.feed_id, open_quantity = excluded.open_quantity, known = excluded.known
        where
            (
                o.supplier_code, o.ordered, o.noticed, o.received, o.rejected, o.status, o.ordered_at, o.due_at,
                o.first_received_at, o.last_received_at, o.unit_cost, o.net_amount, o.currency, o.feed_id,
                o.open_quantity
            ) is distinct from (
                excluded.supplier_code, excluded.ordered, excluded.noticed, excluded.received, excluded.rejected,
                excluded.status, excluded.ordered_at, excluded.due_at, excluded.first_received_at,
                excluded.last_received_at, excluded.unit_cost, excluded.net_amount, excluded.currency,
                excluded.feed_id, excluded.open_quantity
            );
    get diagnostics supplies = row_count;
    drop table pg_temp.fresh_line;
    return demands + supplies;
end
$$;
comment on function {{ silver }}.refresh_order_lines(bigint) is
'Recompute the lines of the touched orders; returns how many changed.';

-- A warehouse of an earlier version has the facts and not the lines yet.
do $$
begin
    if not exists (select 1 from {{ silver }}.demand_line) and not exists (select 1 from {{ silver }}.supply_line) then
        create temporary table touched_order on commit drop as
        select order_document from {{ silver }}.fact_demand
        union
        select order_document from {{ silver }}.fact_supply;
        perform {{ silver }}.refresh_order_lines((select coalesce(max(b.known), 0) from {{ ops }}.batch as b));
        drop table pg_temp.touched_order;
    end if;
end
$$;
