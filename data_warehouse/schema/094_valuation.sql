-- Stock and its changes valued by FIFO, moving average and standard cost, from silver.value_flow. Exact: a value is a
-- sum of quantity times cost; where a unit cost has more than 9 decimals (a price per case of 12), what is rounded to 9
-- is the value of a receipt up to a piece, so that its parts still add up to it.
-- What is issued while nothing is there goes at the provisional cost of the flow, and stock is below zero in quantity
-- and value; what comes in next takes its place, and the difference is an entry of its own (true_up).

-- fifo_layer: what is left of each receipt when the oldest goes first; or, below zero, what was issued and never came.
-- Grain: product, location and seq of the receipt (of the issue, below zero).
create or replace view {{ silver }}.fifo_layer as
with

flow as materialized (
    select
        f.product_id,
        f.location_id,
        f.seq,
        f.event_time,
        f.quantity,
        f.unit_cost,
        f.cost_source,
        f.currency
    from {{ silver }}.value_flow as f
    where f.quantity <> 0
),

balance as (
    select
        f.product_id,
        f.location_id,
        sum(f.quantity) as quantity
    from flow as f
    group by f.product_id, f.location_id
    having sum(f.quantity) <> 0
),

-- What is there came last: from the newest receipt back, until the balance is reached. Below zero, the same of issues.
newest_first as (
    select
        f.*,
        abs(b.quantity) as held,
        sum(abs(f.quantity)) over (
            partition by f.product_id, f.location_id
            order by f.seq desc
            rows between unbounded preceding and current row
        ) as so_far
    from flow as f
    inner join balance as b
        on
            f.product_id = b.product_id
            and f.location_id = b.location_id
            and (f.quantity > 0) = (b.quantity > 0)
),

remaining as (
    select
        n.*,
        sign(n.quantity) * least(abs(n.quantity), n.held + abs(n.quantity) - n.so_far) as remains
    from newest_first as n
    where n.so_far - abs(n.quantity) < n.held
),

fifo_layer as (
    select
        r.product_id,
        r.location_id,
        r.seq,
        r.event_time,
        r.remains as quantity,
        r.unit_cost,
        r.currency,
        case
            when scale(r.unit_cost) <= 9 then r.remains * r.unit_cost
            else round(r.quantity * r.unit_cost, 9) - round((r.quantity - r.remains) * r.unit_cost, 9)
        end as value,
        case when r.remains > 0 then r.cost_source else 'provisional' end as cost_source
    from remaining as r
)

select * from fifo_layer;
comment on view {{ silver }}.fifo_layer is
'What is left of each receipt when the oldest goes first; below zero, what was issued and has not come in yet.';

-- fifo_match: which receipt served which issue. Receipts and issues are laid end to end along the pieces ever received
-- and ever issued; every stretch between two ends belongs to one receipt and one issue. No loop, and no rounding.
-- Grain: product, location and stretch. No receipt: not come in yet. No issue: still there.
create or replace view {{ silver }}.fifo_match as
with

laid as (
    select
        f.product_id,
        f.location_id,
        f.seq,
        f.quantity,
        f.unit_cost,
        case
            when f.quantity > 0 then sum(f.quantity) filter (where f.quantity > 0) over so_far
            else -sum(f.quantity) filter (where f.quantity < 0) over so_far
        end as upto
    from {{ silver }}.value_flow as f
    where f.quantity <> 0
    window so_far as (
        partition by f.product_id, f.location_id
        order by f.seq
        rows between unbounded preceding and current row
    )
),

-- From the far end back: the receipt (issue) whose end was met last is the one that the stretch lies in.
stretch as (
    select
        d.product_id,
        d.location_id,
        d.upto,
        lead(d.upto, 1, 0) over from_the_end as since,
        min(array[d.upto, d.seq, d.unit_cost, d.quantity]) filter (where d.quantity > 0) over from_the_end as receipt,
        min(array[d.upto, d.seq, d.unit_cost, -d.quantity]) filter (where d.quantity < 0) over from_the_end as issue
    from laid as d
    window from_the_end as (
        partition by d.product_id, d.location_id
        order by d.upto desc
    )
),

fifo_match as (
    select
        s.product_id,
        s.location_id,
        cast(s.receipt[2] as bigint) as receipt_seq,
        cast(s.issue[2] as bigint) as issue_seq,
        s.upto - s.since as quantity,
        case
            when scale(s.receipt[3]) <= 9 then (s.upto - s.since) * s.receipt[3]
            else
                round((s.upto - s.receipt[1] + s.receipt[4]) * s.receipt[3], 9)
                - round((s.since - s.receipt[1] + s.receipt[4]) * s.receipt[3], 9)
        end as value,
        case
            when scale(s.issue[3]) <= 9 then (s.upto - s.since) * s.issue[3]
            else
                round((s.upto - s.issue[1] + s.issue[4]) * s.issue[3], 9)
                - round((s.since - s.issue[1] + s.issue[4]) * s.issue[3], 9)
        end as provisional_value
    from stretch as s
    where s.upto > s.since
)

select * from fifo_match;
comment on view {{ silver }}.fifo_match is
'Which receipt served which issue, first in first out; value at the receipt''s cost, provisional_value at the '
'issue''s.';

-- moving_average(quantity, unit_cost): an aggregate over a flow in its order: quantity, value, and what the last
-- receipt trued up. Zero pieces have the value zero: the last piece takes what is left.
create or replace function {{ silver }}.moving_average_step(held numeric[], quantity numeric, unit_cost numeric)
returns numeric[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    before numeric := held[1];
    worth numeric := held[2];
    later numeric := before + quantity;
    kept numeric;
begin
    if quantity = 0 then
        return array[before, worth, 0];
    elsif quantity > 0 then
        if before >= 0 then
            return array[later, worth + round(quantity * unit_cost, 9), 0];
        end if;
        kept := case when later > 0 then round(later * unit_cost, 9) else round(worth * later / before, 9) end;
        return array[later, kept, kept - worth - round(quantity * unit_cost, 9)];
    elsif before <= 0 then
        return array[later, worth + round(quantity * unit_cost, 9), 0];
    elsif later <= 0 then
        return array[later, round(later * unit_cost, 9), 0];
    else
        return array[later, worth + round(worth * quantity / before, 9), 0];
    end if;
end
$$;
comment on function {{ silver }}.moving_average_step(numeric[], numeric, numeric) is
'One step of silver.moving_average: {quantity, value, trued up} after a receipt or an issue.';

-- As text, because the linter does not know aggregates.
do $$
begin
    execute '
        create or replace aggregate {{ silver }}.moving_average(numeric, numeric) (
            sfunc = {{ silver }}.moving_average_step,
            stype = numeric[],
            initcond = ''{0,0,0}''
        )';
    execute '
        comment on aggregate {{ silver }}.moving_average(numeric, numeric) is
        ''{quantity, value, trued up by the last receipt} of a flow of quantities and unit costs, in its order.''';
end
$$;

-- value_entry: every change of the value of stock, by each method. Grain: product, location, seq, method and kind.
-- The entries of a key add up to its value in gold.stock_valuation, exactly.
create or replace view {{ silver }}.value_entry as
with

flow as materialized (
    select * from {{ silver }}.value_flow
),

matched as materialized (
    select * from {{ silver }}.fifo_match
),

issued as (
    select
        m.product_id,
        m.location_id,
        m.issue_seq as seq,
        -sum(case when m.receipt_seq < m.issue_seq then m.value else m.provisional_value end) as value
    from matched as m
    where m.issue_seq is not null
    group by m.product_id, m.location_id, m.issue_seq
),

trued_up as (
    select
        m.product_id,
        m.location_id,
        m.receipt_seq as seq,
        sum(m.provisional_value - m.value) as value
    from matched as m
    where m.receipt_seq > m.issue_seq
    group by m.product_id, m.location_id, m.receipt_seq
),

held as (
    select
        f.*,
        {{ silver }}.moving_average(f.quantity, f.unit_cost) over so_far as average,
        sum(f.quantity) over so_far * coalesce(f.standard_cost, 0) as at_standard
    from flow as f
    window so_far as (
        partition by f.product_id, f.location_id
        order by f.seq
        rows between unbounded preceding and current row
    )
),

changed as (
    select
        h.*,
        t.value as fifo_true_up,
        h.average[3] as average_true_up,
        h.average[2] - h.average[3] - lag(h.average[2], 1, 0) over in_order as average_change,
        h.at_standard - lag(h.at_standard, 1, 0) over in_order as standard_change,
        case
            when h.quantity <= 0 then i.value
            when scale(h.unit_cost) <= 9 then h.quantity * h.unit_cost
            else round(h.quantity * h.unit_cost, 9)
        end as fifo_change
    from held as h
    left join issued as i on h.product_id = i.product_id and h.location_id = i.location_id and h.seq = i.seq
    left join trued_up as t on h.product_id = t.product_id and h.location_id = t.location_id and h.seq = t.seq
    window in_order as (
        partition by h.product_id, h.location_id
        order by h.seq
    )
),

value_entry as (
    select
        c.product_id,
        c.location_id,
        c.seq,
        c.event_time,
        c.account,
        e.method,
        e.kind,
        e.quantity,
        e.value,
        c.unit_cost,
        c.cost_source,
        c.currency
    from changed as c
    cross join
        lateral (
            values
            ('fifo', 'movement', c.quantity, c.fifo_change),
            ('fifo', 'true_up', 0, c.fifo_true_up),
            ('moving_average', 'movement', c.quantity, c.average_change),
            ('moving_average', 'true_up', 0, c.average_true_up),
            ('standard', case when c.quantity = 0 then 'revaluation' else 'movement' end, c.quantity, c.standard_change)
        ) as e (method, kind, quantity, value)
    where e.quantity <> 0 or e.value <> 0
)

select * from value_entry;
comment on view {{ silver }}.value_entry is
'Every change of the value of stock by FIFO, moving average and standard cost; true-ups and revaluations are rows of '
'their own.';
