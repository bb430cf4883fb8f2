-- supplier: each supplier of the master data.
-- Grain: one row per supplier code.
-- Reads: silver.supplier.   Used by: reports that name suppliers.
with

supplier as (
    select
        supplier_code,
        supplier_name
    from {{ source('silver', 'supplier') }}
)

select * from supplier
