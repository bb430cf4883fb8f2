-- record_trust: how likely the record of stock is right, to within a tolerance.
-- Grain: one row per product and location. The tolerance is 5 % of the record, one piece at least.
-- The formula, step by step; its numbers stand in the CTE `constant`:
-- 1. Just after a count a record is right with 0.98. Each day and each movement is a chance to go wrong:
--    p = 0.98 * exp(-(a * days + b * movements)). a and b are such that after a year with 100 movements p = 0.35, half
--    of it by time and half by movements: DeHoratius and Raman (Management Science 54/4, 2008) found 65 % of 369,567
--    records of 37 stores wrong when counted, and more of those that sell more. Never counted: p = 0.35.
-- 2. Nothing sold though it should: where a share q of the days sees demand, d quiet days in a row happen with
--    L = (1 - q)^d if the goods are there. Of the wrong records one in five is taken for a phantom: nothing is there,
--    and L is 1. By Bayes p' = p L / (p L + (1 - p) (0.2 + 0.8 L)).
-- 3. What another feed tells otherwise since the count (source_drift without what is only late) divides the odds by
--    1 + disputed / tolerance.
-- 4. A record below zero is wrong: 0.01.
-- 0.98, 0.2, 0.01 and the 5 % are judgements, not measurements.
-- Reads: stock_on_hand, silver.fact_movement, silver.demand_rate, source_drift, latest_instant.   Used by: count_list.
with

constant as (
    select
        0.98 as right_after_count,
        0.35 as right_never_counted,
        0.2 as phantom_share,
        0.01 as right_below_zero,
        0.05 as tolerance_share,
        ln(0.98 / 0.35) / 2 / 365 as hazard_per_day,
        ln(0.98 / 0.35) / 2 / 100 as hazard_per_movement
),

stock as (
    select * from {{ ref('stock_on_hand') }}
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

family as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_family') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

fact_movement as (
    select * from {{ source('silver', 'fact_movement') }}
    where known_to is null and role = 'authority'
),

rate as (
    select * from {{ source('silver', 'demand_rate') }}
),

-- Found before the movements are read, which are many: else places may be joined to all of their movements first.
stock_key as {{ found_first() }} (
    select
        f.product_id,
        l.location_id,
        s.product_code,
        s.location_code,
        s.last_count_at
    from stock as s
    inner join family as f on s.product_code = f.product_code
    inner join location as l on s.location_code = l.location_code
),

moved as (
    select
        s.product_code,
        s.location_code,
        count(case when s.last_count_at is null or m.event_time > s.last_count_at then 1 end) as movements,
        max(case when m.movement_class in ('sale', 'shipment') then m.event_time end) as last_sold_at
    from fact_movement as m
    inner join stock_key as s on m.product_id = s.product_id and m.location_id = s.location_id
    group by s.product_code, s.location_code
),

disputed as (
    select
        d.product_code,
        d.location_code,
        sum(abs(d.difference - d.late)) as quantity
    from {{ ref('source_drift') }} as d
    inner join stock as s on d.product_code = s.product_code and d.location_code = s.location_code
    where s.last_count_at is null or d.business_date > cast({{ local('s.last_count_at', "'UTC'") }} as date)
    group by d.product_code, d.location_code
),

observed as (
    select
        s.product_code,
        s.location_code,
        s.on_hand,
        s.sellable,
        s.is_negative,
        s.is_anchored,
        n.as_of,
        {{ greatest_known() }}(1, abs(s.on_hand) * c.tolerance_share) as tolerance,
        case
            when s.last_count_at is not null
                then {{ greatest_known() }}(0, {{ seconds_between('s.last_count_at', 'n.as_of') }} / 86400)
        end as days_since_count,
        coalesce(m.movements, 0) as movements,
        coalesce(d.quantity, 0) as disputed,
        -- not all of the days, or one quiet day would be proof
        case when r.in_stock_days > 0 then {{ least_known() }}(0.99, {{ exact('r.demand_days') }} / r.in_stock_days) end
            as demand_share,
        floor({{ greatest_known() }}(
            0, {{ seconds_between(greatest_known() ~ '(m.last_sold_at, s.last_count_at)', 'n.as_of') }} / 86400
        )) as quiet_days
    from stock as s
    cross join constant as c
    cross join latest as n
    left join moved as m on s.product_code = m.product_code and s.location_code = m.location_code
    left join disputed as d on s.product_code = d.product_code and s.location_code = d.location_code
    left join rate as r on s.product_code = r.product_code and s.location_code = r.location_code
),

aged as (
    select
        o.*,
        c.right_below_zero,
        c.phantom_share,
        case
            when o.is_anchored
                then
                    c.right_after_count
                    * exp(-{{ least_known() }}(
                        20, o.days_since_count * c.hazard_per_day + o.movements * c.hazard_per_movement
                    ))
            else c.right_never_counted
        end as by_age,
        case
            when o.sellable > 0 and o.demand_share > 0
                then power(1 - o.demand_share, {{ least_known() }}(o.quiet_days, 100))
            else 1
        end as quiet_chance
    from observed as o
    cross join constant as c
),

quieted as (
    select
        a.*,
        a.by_age * a.quiet_chance
        / (a.by_age * a.quiet_chance + (1 - a.by_age) * (a.phantom_share + (1 - a.phantom_share) * a.quiet_chance))
            as by_quiet
    from aged as a
),

doubted as (
    select
        q.*,
        case
            when q.is_negative then q.right_below_zero
            else q.by_quiet / (q.by_quiet + (1 - q.by_quiet) * (1 + q.disputed / q.tolerance))
        end as probability_right
    from quieted as q
),

record_trust as (
    select
        q.product_code,
        q.location_code,
        q.on_hand,
        {{ plain('q.tolerance') }} as tolerance,
        {{ plain('round(q.probability_right, 4)') }} as probability_right,
        q.is_anchored,
        q.is_negative,
        {{ plain('round(q.days_since_count, 2)') }} as days_since_count,
        q.movements as movements_since_count,
        {{ plain('case when q.demand_share > 0 then q.quiet_days end') }} as quiet_days,
        {{ plain('round(q.quiet_chance, 4)') }} as quiet_chance,
        {{ plain('q.disputed') }} as disputed_quantity,
        q.as_of
    from doubted as q
)

select * from record_trust
