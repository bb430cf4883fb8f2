-- availability: how much may be sold now, and what is taken off to come to it.
-- available = sellable - reservations, never below zero; available_to_sell = available - buffer - staleness_reserve,
-- never below zero. A row with a channel says what that channel may sell: what is left of its allocation, and what no
-- channel has set apart, if it may use that. It ignores what will come: for dates see atp.
-- Grain: one row per product and location (channel_code null), and one per channel that has an allocation or a buffer.
-- Reads: promise_key, stock_policy, silver.demand_line.   Used by: shops, customer service, the report.
with

beginning as (
    select * from {{ ref('promise_key') }}
),

family as (
    select
        product_code,
        product_id
    from {{ source('silver', 'product_family') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

policy as (
    select * from {{ ref('stock_policy') }}
    where channel_code is not null and location_code is not null
),

-- What a channel's customers have reserved since its allocation began is consumed of it, shipped or not.
sold as (
    select
        f.product_code,
        l.location_code,
        d.channel_code,
        d.reserved_at,
        {{ greatest_known() }}(0, d.reserved - d.cancelled) as quantity
    from {{ source('silver', 'demand_line') }} as d
    inner join family as f on d.product_id = f.product_id
    inner join location as l on d.location_id = l.location_id
    where not d.is_soft and d.channel_code is not null
),

consumed as (
    select
        a.product_code,
        a.location_code,
        a.channel_code,
        a.may_use_pool,
        coalesce(a.channel_buffer, a.safety_stock) as buffer,
        {{ greatest_known() }}(0, coalesce(a.allocated_quantity, 0) - coalesce(sum(s.quantity), 0)) as unconsumed
    from policy as a
    left join sold as s
        on
            a.product_code = s.product_code
            and a.location_code = s.location_code
            and a.channel_code = s.channel_code
            and (a.effective_from is null or a.effective_from <= s.reserved_at)
    group by
        a.product_code, a.location_code, a.channel_code, a.may_use_pool, a.channel_buffer, a.safety_stock,
        a.allocated_quantity
),

allocation as (
    select
        c.*,
        sum(c.unconsumed) over (partition by c.product_code, c.location_code) as unconsumed_of_all,
        row_number() over (partition by c.product_code, c.location_code order by c.channel_code) as place
    from consumed as c
),

-- Beside the channels of a place, the place as a whole: a row without a channel.
by_channel as (
    select
        a.product_code,
        a.location_code,
        a.may_use_pool,
        a.unconsumed_of_all,
        case when not w.is_whole then a.channel_code end as channel_code,
        case when not w.is_whole then a.buffer end as buffer,
        case when not w.is_whole then a.unconsumed end as unconsumed
    from allocation as a
    cross join (values (true), (false)) as w (is_whole)
    where a.place = 1 or not w.is_whole
),

-- No step is read twice: only so does a question about one product, or one place, read no more than that.
both_kinds as (
    select
        k.product_code,
        k.location_code,
        a.channel_code,
        k.on_hand,
        k.sellable,
        k.reserved_hard,
        k.reserved_soft,
        k.transfer_reserved,
        k.available,
        coalesce(a.buffer, k.buffer) as buffer,
        k.staleness_reserve,
        k.late_hours,
        k.as_of,
        k.known,
        a.unconsumed,
        coalesce(a.unconsumed_of_all, 0) as unconsumed_of_all,
        case
            when a.channel_code is null then k.available
            else {{ least_known() }}(
                k.available,
                a.unconsumed
                + case
                    when a.may_use_pool then {{ greatest_known() }}(0, k.available - a.unconsumed_of_all) else 0
                end
            )
        end as may_sell
    from beginning as k
    left join by_channel as a on k.product_code = a.product_code and k.location_code = a.location_code
),

availability as (
    select
        product_code,
        location_code,
        channel_code,
        {{ plain('on_hand') }} as on_hand,
        {{ plain('sellable') }} as sellable,
        {{ plain('reserved_hard') }} as reserved_hard,
        {{ plain('reserved_soft') }} as reserved_soft,
        {{ plain('transfer_reserved') }} as transfer_reserved,
        {{ plain('available') }} as available,
        {{ plain('buffer') }} as buffer,
        {{ plain('staleness_reserve') }} as staleness_reserve,
        {{ plain('unconsumed') }} as unconsumed_allocation,
        {{ plain(greatest_known() ~ '(0, may_sell - buffer - staleness_reserve)') }} as available_to_sell,
        unconsumed_of_all > available as is_over_allocated,
        late_hours as oldest_feed_age_hours,
        as_of,
        known
    from both_kinds
)

select * from availability
