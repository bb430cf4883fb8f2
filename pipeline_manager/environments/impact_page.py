"""The impact of an environment for people: for a terminal, and as a comment. What data say moves neither."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from etl_pipeline.core.log import printable
from pipeline_manager.environments.impact import Impact

LONGEST_CODE = 60
_NOT_IN_CODE = str.maketrans({"`": "\u02cb", "|": "\u00a6"})
"""A code span is ended by a backtick and a cell by a pipe; these look like them and do nothing."""
_COLUMNS = ("product", "location", "on hand", "promise", "value", "")


def text(impact: Impact) -> str:
    """Return the impact for a terminal."""
    lines = [f"Environment '{impact.env}' against {impact.against}: {_headline(impact)}"]
    lines += [f"  {label}: {told}" for label, told in _figures(impact)]
    for one in impact.examples:
        codes = f"{_short(one['product_code'])} at {_short(one['location_code'])}"
        lines.append(f"  {codes}: " + ", ".join(part for part in _change(one) if part))
    for feed in impact.feeds:
        lines.append(f"  {_short(feed['feed'])}: {_of_feed(feed)}")
    lines += [f"  contract of {_short(feed)}: {what}" for feed, what in impact.contracts.items()]
    return "\n".join(lines)


def markdown(impact: Impact) -> str:
    """Return the impact as a comment: every text from data stands in a code span, where nothing is a link or a call."""
    lines = [f"### Environment {code(impact.env)} against {impact.against}", "", f"{_headline(impact)}", ""]
    figures = list(_figures(impact))
    if figures:
        lines += ["| what | how much |", "|---|---|", *(f"| {label} | {told} |" for label, told in figures), ""]
    if impact.examples:
        lines += [f"| {' | '.join(_COLUMNS)} |", "|---|---|---|---|---|---|"]
        for one in impact.examples:
            on_hand, promise, value, mark = _change(one)
            cells = (on_hand, promise, code(value) if value else "", mark)
            lines.append(f"| {code(one['product_code'])} | {code(one['location_code'])} | {' | '.join(cells)} |")
        lines.append("")
    if impact.feeds or impact.contracts:
        lines += ["| feed | more than in prod | contract |", "|---|---|---|"]
        told = {str(feed["feed"]): _of_feed(feed) for feed in impact.feeds}
        for name in sorted({*told, *impact.contracts}):
            lines.append(f"| {code(name)} | {told.get(name, '')} | {impact.contracts.get(name, '')} |")
        lines.append("")
    return "\n".join(lines)


def code(value: object) -> str:
    """Return text from outside as a code span of one line, which nothing in it can end."""
    return f"`{_short(value).translate(_NOT_IN_CODE).strip() or '-'}`"


def _short(value: object) -> str:
    told = printable(str(value))
    return told if len(told) <= LONGEST_CODE else told[: LONGEST_CODE - 1] + "\u2026"


def _headline(impact: Impact) -> str:
    if impact.is_nothing:
        return "nothing changed."
    stock = f"on-hand of {impact.on_hand_keys:,} product-locations changes, the promise of {impact.promise_keys:,}"
    return (
        f"{stock}; {impact.new_stockouts:,} new stock-outs, {impact.resolved_stockouts:,} resolved; "
        f"{impact.records_set_aside:+,} records set aside."
    )


def _figures(impact: Impact) -> Iterator[tuple[str, str]]:
    if impact.on_hand_keys:
        yield "units on hand", f"+{_number(impact.units_more)} and -{_number(impact.units_less)}"
    for currency, value in impact.values.items():
        yield "value at cost", f"{_signed(value)} {_short(currency) if currency.isalnum() else ''}".strip()
    if impact.keys_without_cost:
        yield "product-locations without a cost", f"{impact.keys_without_cost:,}"
    if impact.promise_keys:
        yield "units to promise", _signed(impact.promise_units)


def _change(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    on_hand = f"{_number(one['on_hand_before'])} -> {_number(one['on_hand_after'])}"
    promise = f"{_number(one['promise_before'])} -> {_number(one['promise_after'])}"
    value = "" if one["value"] is None else f"{_signed(one['value'])} {_short(one['currency'] or '')}".strip()
    mark = "new stock-out" if one["is_new_stockout"] else "resolved stock-out" if one["is_resolved_stockout"] else ""
    return f"on hand {on_hand}", f"promise {promise}", value, mark


def _of_feed(feed: Mapping[str, Any]) -> str:
    told = [f"{int(feed['files']):+,} files, {int(feed['records']):+,} records, {int(feed['set_aside']):+,} set aside"]
    if feed["files_set_aside"]:
        told.append(f"{int(feed['files_set_aside']):+,} files set aside whole")
    return ", ".join(told)


def _number(value: Decimal) -> str:
    return f"{value.normalize():,f}" if isinstance(value, Decimal) else f"{value:,}"


def _signed(value: Decimal) -> str:
    return f"{value:+,}"
