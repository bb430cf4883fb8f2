-- silver.supply_line: what became of every line of a purchase order. Kept by the load, order by order: see
-- 044_order_lines.sql.

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

create index if not exists fact_supply_order on {{ silver }}.fact_supply (order_document, product_id);

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

-- refresh_supply_lines(k): compute the lines of the touched orders anew; one that says the same keeps its row.
create or replace function {{ silver }}.refresh_supply_lines(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    changed bigint;
begin
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
    get diagnostics changed = row_count;
    drop table pg_temp.fresh_line;
    return changed;
end
$$;
comment on function {{ silver }}.refresh_supply_lines(bigint) is
'Recompute the purchase orders in pg_temp.touched_order; returns how many lines changed.';
