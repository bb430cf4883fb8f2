-- supplier_performance: how long each supplier takes, and how often all of it comes, and on time.
-- Grain: one row per supplier and location. A line is judged once it is finished: all of it has come, or it was closed,
-- or its day due is over at the latest instant known. Cancelled and draft lines are not judged. On time: the last goods
-- that came did so by the local day due. In full: received, less what was refused, is at least what was ordered. Lead
-- time: from order to first receipt, of lines with both.
-- Reads: silver.supply_line, dim_location, latest_instant.   Used by: buyers, safety stock.
with

line as (
    select * from {{ source('silver', 'supply_line') }}
),

place as (
    select
        k.location_id,
        k.location_code,
        coalesce(d.zone, s.value, 'UTC') as zone_name
    from {{ source('silver', 'location_key') }} as k
    left join {{ source('silver', 'dim_location') }} as d
        on k.location_code = d.location_code and d.valid_to = {{ forever() }}
    left join {{ source('ops', 'setting') }} as s on s.name = 'zone'
),

latest as (
    select as_of from {{ ref('latest_instant') }}
),

judged as (
    select
        coalesce(s.supplier_code, '') as supplier_code,
        l.location_code,
        s.ordered,
        s.received - s.rejected as accepted,
        s.rejected,
        s.received,
        case
            when s.first_received_at >= s.ordered_at
                then {{ seconds_between('s.ordered_at', 's.first_received_at') }} / 86400
        end as lead_days,
        s.ordered > 0
        and s.status in ('open', 'closed')
        and (
            s.received - s.rejected >= s.ordered
            or s.status = 'closed'
            or cast({{ local('s.due_at', 'l.zone_name') }} as date)
            < cast({{ local('n.as_of', 'l.zone_name') }} as date)
        ) as is_finished,
        s.received - s.rejected >= s.ordered as is_in_full,
        s.due_at is not null as is_dated,
        s.received > 0
        and cast({{ local('s.last_received_at', 'l.zone_name') }} as date)
        <= cast({{ local('s.due_at', 'l.zone_name') }} as date)
            as is_on_time
    from line as s
    inner join place as l on s.location_id = l.location_id
    cross join latest as n
    where s.ordered is not null
),

counted as (
    select
        supplier_code,
        location_code,
        count(*) as order_lines,
        count(case when is_finished then 1 end) as finished_lines,
        count(case when is_finished and is_dated and is_on_time then 1 end) as on_time_lines,
        count(case when is_finished and is_in_full then 1 end) as in_full_lines,
        count(case when is_finished and is_dated and is_on_time and is_in_full then 1 end) as on_time_in_full_lines,
        count(case when is_finished and is_dated then 1 end) as dated_lines,
        count(lead_days) as lead_time_lines,
        {{ plain('round(avg(lead_days), 6)') }} as lead_time_mean_days,
        {{ plain('round(var_samp(lead_days), 6)') }} as lead_time_variance,
        {{ plain('sum(ordered)') }} as ordered,
        {{ plain('sum(received)') }} as received,
        {{ plain('sum(rejected)') }} as rejected
    from judged
    group by supplier_code, location_code
),

supplier_performance as (
    select
        c.*,
        {{ plain('round(' ~ exact('c.on_time_lines') ~ ' / nullif(c.dated_lines, 0), 6)') }} as on_time_rate,
        {{ plain('round(' ~ exact('c.in_full_lines') ~ ' / nullif(c.finished_lines, 0), 6)') }} as in_full_rate
    from counted as c
)

select * from supplier_performance
