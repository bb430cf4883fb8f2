-- silver.demand_line, silver.supply_line: what became of every order line. Kept by the load, order by order, from the
-- facts, so that a promise reads only what is open. Expiry is not written down: it comes with time, without a load.
-- An order is computed anew as a whole whenever a fact about it changes: adding up can drift, this cannot.

-- touch_orders(): which orders the changed records concern, before or after.
create or replace function {{ silver }}.touch_orders()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into pg_temp.touched_order (order_document)
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
    perform {{ silver }}.know_size('touched_order');
end
$$;
comment on function {{ silver }}.touch_orders() is 'Fill pg_temp.touched_order from the changed records.';

-- refresh_order_lines(k): compute the lines of the touched orders anew.
create or replace function {{ silver }}.refresh_order_lines(at_known bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select 1 from pg_temp.touched_order) then
        return 0;
    end if;
    return {{ silver }}.refresh_demand_lines(at_known) + {{ silver }}.refresh_supply_lines(at_known);
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
