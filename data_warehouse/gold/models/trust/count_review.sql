-- count_review: counts that differ from the book by more than their contract's `plausible.most_variance`.
-- Grain: one row per such count of a stock key. Both figures stand side by side: on_hand, which the count anchors like
-- any other, and on_hand_without it. Nothing is dropped: a count that a person finds wrong is voided or sent again.
-- The first count of a key is not judged: without an earlier one there is no book to speak of.
-- Reads: silver.account_entry, silver.fact_count, silver.position, record_source, ops.feed.
-- Used by: alert, people who count again.
with

bounded as (
    select
        feed_id,
        feed,
        most_variance
    from {{ source('ops', 'feed') }}
    where most_variance is not null
),

record as (
    select
        s.*,
        r.feed_id
    from {{ ref('record_source') }} as s
    inner join {{ source('silver', 'record') }} as r on s.record_id = r.record_id
),

fact_count as (
    select * from {{ source('silver', 'fact_count') }}
    where known_to is null and role = 'authority'
),

position as (
    select * from {{ source('silver', 'position') }}
),

product as (
    select
        product_id,
        product_code
    from {{ source('silver', 'product_key') }}
),

location as (
    select
        location_id,
        location_code
    from {{ source('silver', 'location_key') }}
),

-- The accounts are not even read where no contract has a bound.
shrink as (
    select * from {{ source('silver', 'account_entry') }}
    where account = 'shrink' and record_id is not null and (select count(*) from bounded) > 0
),

varied as (
    select
        c.record_id,
        c.product_id,
        c.location_id,
        c.state,
        c.bin_code,
        c.lot_code,
        c.event_time,
        c.quantity,
        c.known_from,
        r.feed,
        r.document,
        r.line,
        r.file_name,
        r.line_no,
        b.most_variance,
        -s.quantity as variance
    from shrink as s
    inner join fact_count as c
        on
            s.record_id = c.record_id
            and s.product_id = c.product_id
            and s.location_id = c.location_id
            and s.state = c.state
            and s.bin_code = c.bin_code
            and s.lot_code = c.lot_code
            and s.event_time = c.event_time
    inner join record as r on c.record_id = r.record_id
    inner join bounded as b on r.feed_id = b.feed_id
    where
        abs(s.quantity) > b.most_variance
        and exists (
            select 1
            from fact_count as e
            where
                e.product_id = c.product_id
                and e.location_id = c.location_id
                and e.state = c.state
                and e.bin_code = c.bin_code
                and e.lot_code = c.lot_code
                and e.event_time < c.event_time
        )
),

count_review as (
    select
        v.feed,
        v.document,
        v.line,
        p.product_code,
        l.location_code,
        v.state,
        v.bin_code,
        v.lot_code,
        v.event_time as counted_at,
        {{ plain('v.quantity') }} as counted,
        {{ plain('v.quantity - v.variance') }} as book_before,
        {{ plain('v.variance') }} as variance,
        {{ plain('v.most_variance') }} as most_variance,
        coalesce(o.anchor_at = v.event_time and o.anchor_quantity = v.quantity, false) as is_anchor,
        {{ plain('o.quantity') }} as on_hand,
        {{ plain(
            'o.quantity - case when o.anchor_at = v.event_time and o.anchor_quantity = v.quantity'
            ~ ' then v.variance else 0 end'
        ) }} as on_hand_without,
        'Counted ' || {{ as_text(plain('v.quantity')) }} || ' where the book said '
        || {{ as_text(plain('v.quantity - v.variance')) }}
        || ': count it again. If the count is wrong, void it or send the right one.' as sentence,
        v.file_name,
        v.line_no,
        v.known_from as known
    from varied as v
    inner join product as p on v.product_id = p.product_id
    inner join location as l on v.location_id = l.location_id
    left join position as o
        on
            v.product_id = o.product_id
            and v.location_id = o.location_id
            and v.state = o.state
            and v.bin_code = o.bin_code
            and v.lot_code = o.lot_code
)

select * from count_review
