{{ config(materialized='ephemeral') }}
-- record_source: where each record was told: feed, business key, file and line.
-- Grain: one row per revision of a business key.
-- Reads: silver.record, file_named.   Used by: views of facts.
with

record as (
    select * from {{ source('silver', 'record') }}
),

file as (
    select
        file_id,
        feed,
        file_name
    from {{ ref('file_named') }}
),

record_source as (
    select
        r.record_id,
        f.feed,
        r.document,
        r.line,
        f.file_name,
        r.line_no
    from record as r
    inner join file as f on r.file_id = f.file_id
)

select * from record_source
