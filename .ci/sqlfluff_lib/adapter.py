"""A stand-in for dbt's adapter, so that the SQL of gold can be linted without dbt: it finds the macro of an engine."""

from collections.abc import Callable

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def dispatch(context: Context, name: str) -> Callable[..., str]:
    """Return the macro that writes a meaning for the engine that is linted, the context's `engine`."""
    found: Callable[..., str] = context[f"{context['engine']}__{name}"]
    return found
