{# No row lacks any of these columns. One reading of the view instead of one per column. #}
{% test never_null(model, columns) %}
select *
from {{ model }}
where {{ columns | join(' is null or ') }} is null
{% endtest %}
