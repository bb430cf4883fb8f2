{# The parts of each row add up to its whole, exactly. #}
{% test adds_up(model, whole, parts) %}
select *
from {{ model }}
where {{ whole }} <> {{ parts | join(' + ') }}
{% endtest %}
