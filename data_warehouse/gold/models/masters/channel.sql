-- channel: each channel of the master data.
-- Grain: one row per channel code.
-- Reads: silver.channel.   Used by: reports that name channels.
with

channel as (
    select
        channel_code,
        channel_name
    from {{ source('silver', 'channel') }}
)

select * from channel
