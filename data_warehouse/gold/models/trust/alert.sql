-- alert: what a person should know of, one row per incident.
-- Grain: one row per incident. alert_id stays the same as long as the incident does, so that it is told once.
-- Reads: feed_gap, feed_freshness, feed_column, count_review, in_transit, purchase_order_line, file_named,
-- silver.record.
-- Used by: the summary of a run, messages to people.
with

feed_gap as (
    select * from {{ ref('feed_gap') }}
),

feed_freshness as (
    select * from {{ ref('feed_freshness') }}
),

count_review as (
    select * from {{ ref('count_review') }}
),

in_transit as (
    select * from {{ ref('in_transit') }}
),

purchase_order_line as (
    select * from {{ ref('purchase_order_line') }}
),

file as (
    select * from {{ ref('file_named') }}
),

record as (
    select * from {{ source('silver', 'record') }}
    where is_conflict and is_current and not is_withdrawn
),

owed as (
    select
        case when is_open then 'feed_late' else 'feed_gap' end as kind,
        'feed_gap' as incident_kind,
        feed || case when series = '' then '' else ' ' || series end as subject,
        to_char({{ local('gap_from', "'UTC'") }}, 'YYYY-MM-DD HH24:MI') as incident,
        windows || case when windows = 1 then ' file' else ' files' end || ' of '
        || feed || case when series = '' then '' else ' in ' || series end
        || case when windows = 1 then ' is' else ' are' end || ' missing from '
        || to_char({{ local('gap_from', "'UTC'") }}, 'YYYY-MM-DD HH24:MI') || ' to '
        || to_char({{ local('gap_to', "'UTC'") }}, 'YYYY-MM-DD HH24:MI') || ' UTC: ask the sender.' as sentence,
        cast(null as bigint) as since_known
    from feed_gap
),

never_came as (
    select
        'feed_late' as kind,
        'feed_empty' as incident_kind,
        feed as subject,
        '' as incident,
        'No file of ' || feed || ' has ever come: ask the sender, or take its schedule out.' as sentence,
        cast(null as bigint) as since_known
    from feed_freshness
    where status = 'empty'
),

set_aside as (
    select
        'file_set_aside' as kind,
        'file_set_aside' as incident_kind,
        f.feed || ' ' || f.file_name as subject,
        f.sha256 as incident,
        f.file_name || ' was set aside whole (' || f.reason || '): see systock quarantine list.' as sentence,
        f.known as since_known
    from file as f
    where f.status = 'set_aside' and not f.is_dismissed
),

conflict as (
    select
        'conflict' as kind,
        'conflict' as incident_kind,
        f.feed || ' ' || r.document || case when r.line = '' then '' else ' ' || r.line end as subject,
        r.epoch as incident,
        'Two versions of ' || r.document || case when r.line = '' then '' else ' line ' || r.line end
        || ' claim to be the latest; the one in ' || f.file_name || ', line ' || r.line_no
        || ', was taken by its content: ask the sender.' as sentence,
        r.known_from as since_known
    from record as r
    inner join file as f on r.file_id = f.file_id
),

implausible as (
    select
        'count_review' as kind,
        'count_review' as incident_kind,
        feed || ' ' || product_code || ' at ' || location_code as subject,
        {{ words(['document', 'line', 'state', 'bin_code', 'lot_code', epoch_text('counted_at')]) }} as incident,
        product_code || ' at ' || location_code || ': ' || lower(left(sentence, 1)) || substr(sentence, 2) as sentence,
        known as since_known
    from count_review
),

between_places as (
    select
        'transit_' || case when status = 'in_transit' then 'overdue' else status end as kind,
        'transit' as incident_kind,
        {{ words(["nullif(order_document, '')", 'product_code']) }} as subject,
        {{ words(['from_location_code', 'to_location_code']) }} as incident,
        case status
            when 'in_transit'
                then
                    {{ as_text('open_quantity') }} || ' of ' || product_code || ' left '
                    || coalesce(from_location_code, 'somewhere') || ' and did not arrive'
                    || coalesce(' at ' || to_location_code, '') || ' in ' || age_days || ' days'
            when 'not_shipped'
                then
                    {{ as_text('received') }} || ' of ' || product_code || ' arrived'
                    || coalesce(' at ' || to_location_code, '') || ' and nobody says that they left'
            else
                {{ as_text('received') }} || ' of ' || product_code || ' arrived'
                || coalesce(' at ' || to_location_code, '') || ', ' || {{ as_text('shipped') }} || ' had left'
        end
        || case when order_document = '' then ': ' else ' (' || order_document || '): ' end
        || 'ask both places.' as sentence,
        known as since_known
    from in_transit
    where is_overdue or status not in ('in_transit', 'not_shipped')
),

over_delivered as (
    select
        'over_delivery' as kind,
        'over_delivery' as incident_kind,
        {{ words(['order_document', "nullif(order_line, '')", 'product_code']) }} as subject,
        location_code as incident,
        {{ as_text('received') }} || ' of ' || product_code || ' came for order ' || order_document || ', '
        || {{ as_text('ordered') }} || ' were ordered: ask the supplier.' as sentence,
        known as since_known
    from purchase_order_line
    where received > ordered
),

-- One alert a column: of one that came and went, that it came.
column_change as (
    select
        case when is_new then 'column_added' else 'column_gone' end as kind,
        'column' as incident_kind,
        feed || ' ' || column_name as subject,
        '' as incident,
        case
            when is_new
                then
                    'The column ' || column_name || ' is new in ' || feed || ': ' || files || ' of ' || files_in_all
                    || ' files have it, first ' || first_file_name || '. Nothing reads it unless the contract does.'
            else
                'The column ' || column_name || ' is gone from ' || feed || ': ' || files || ' of ' || files_in_all
                || ' files have it, none after ' || to_char({{ local('last_time', "'UTC'") }}, 'YYYY-MM-DD HH24:MI')
                || ' UTC: ask the sender.'
        end as sentence,
        cast(null as bigint) as since_known
    from {{ ref('feed_column') }}
    where is_new or is_gone
),

incident as (
    select * from owed
    union all
    select * from never_came
    union all
    select * from set_aside
    union all
    select * from conflict
    union all
    select * from implausible
    union all
    select * from between_places
    union all
    select * from over_delivered
    union all
    select * from column_change
),

alert as (
    select
        md5({{ words(['incident_kind', 'subject', 'incident'], 'chr(31)') }}) as alert_id,
        kind,
        subject,
        sentence,
        since_known
    from incident
)

select * from alert
