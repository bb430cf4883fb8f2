"""What `systock explain` prints: the count, the movements, the arithmetic, and what was not counted and why."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape

from etl_pipeline.core.log import printable
from pipeline_manager.explaining import FOREVER, Explanation, Part, explain, read_instant
from pipeline_manager.warehouse_commands import deployed_warehouse

MOST_LISTED = 20
HEADER = ("when", "what", "quantity", "balance", "told by", "file", "line")
RIGHT = ("quantity", "balance", "line")
REASONS = {
    "before_count": "before the count: the count has seen it",
    "earlier_count": "earlier counts: a later one holds",
    "shadow": "shadow: another feed is the authority",
    "voided": "voided by a later revision",
    "superseded": "superseded by another revision",
    "withdrawn": "withdrawn: set aside when it was judged again",
    "judged_again": "told of this product only until a code changed its meaning",
    "later": "after the instant asked for",
    "not_known_yet": "told by a later load than asked for",
    "quarantined": "set aside, and it names the product",
}
"""Why a fact is not counted, in the words of a person."""


def show_explanation(
    product: str,
    location: str,
    at: str | None,
    known: int | None,
    *,
    env: str | None,
    database_url: str | None,
    as_json: bool,
    with_bytes: bool,
    everything: bool,
) -> None:
    """Print how a stock figure came about.

    Raises:
        UsageError: a code, the instant or the load is unknown.
    """
    instant = read_instant(at)
    with deployed_warehouse(env, database_url) as opened:
        found = explain(opened, product, location, instant, known, with_bytes=with_bytes)
    if as_json:
        sys.stdout.write(json.dumps(as_record(found), indent=1, default=_plain) + "\n")
    else:
        render(found, Console(highlight=False), everything=everything)


def as_record(found: Explanation) -> dict[str, Any]:
    """Return an explanation as plain values; quantities are texts, so that no reader rounds them."""
    return {
        "asked": found.asked,
        "product_code": found.product_code,
        "location_code": found.location_code,
        "at": _plain(found.at),
        "known": found.known,
        "total": _number(found.total),
        "merged_into": found.survivor,
        "files_set_aside_whole": found.files_aside,
        "parts": [
            {
                "product_code": part.product_code,
                "total": _number(part.total),
                "stock": [_record(row) for row in part.stock],
                "counted": [_record(fact) for fact in part.counted],
                "not_counted": [_record(fact) for fact in part.facts if not fact["is_counted"]],
            }
            for part in found.parts
        ],
    }


def _record(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items() if value is not None and name != "is_counted"}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _number(value)
    return _instant(value) if isinstance(value, datetime) else value


def _number(value: Decimal | None) -> str:
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(value: Decimal | None) -> str:
    return "" if value is None else f"{'+' if value > 0 else ''}{_number(value)}"


def _instant(value: datetime | str | None) -> str:
    if not isinstance(value, datetime):
        return value or ""
    text = value.astimezone(UTC).isoformat(sep=" ", timespec="auto" if value.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _shown(text: Any) -> str:
    return escape(printable(str(text)))


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True)


def render(found: Explanation, console: Console, *, everything: bool) -> None:
    """Print an explanation; lists are cut unless everything is asked for, sums never."""
    if found.asked != found.product_code:
        _say(console, f"'{_shown(found.asked)}' is {found.how} of {_shown(found.product_code)}.")
    when = "all that happened" if found.at == FOREVER else f"up to {_instant(found.at)}"
    _say(
        console,
        f"[bold]{_shown(found.product_code)} at {_shown(found.location_code)}[/bold]: {when}, "
        f"as known at load {found.known}",
    )
    if found.survivor is not None:
        _say(console, f"It is merged into {_shown(found.survivor)}: gold.stock_on_hand shows it there.")
    for part in found.parts:
        if part is not found.parts[0]:
            _say(console, f"\n[bold]{_shown(part.product_code)}[/bold], merged into {_shown(found.product_code)}")
        _counted(console, part, everything=everything)
        _not_counted(console, part, everything=everything)
    _say(console, f"\n[bold]On hand: {_number(found.total)}[/bold]  ({_sum(found)})")
    if found.files_aside:
        _say(
            console,
            f"{found.files_aside} files are set aside whole, and nothing of them is listed: systock quarantine list",
        )


def _sum(found: Explanation) -> str:
    """Return the arithmetic in one line: counts, then movements, of each code."""
    terms = []
    for part in found.parts:
        counts = [fact["quantity"] for fact in part.counted if fact["kind"] == "count"]
        moves = [fact["quantity"] for fact in part.counted if fact["kind"] == "movement"]
        counted = f"counted {_number(sum(counts, Decimal(0)))}" if counts else "never counted, so from 0"
        terms.append(f"{counted}, moved since {_signed(sum(moves, Decimal(0)))}")
    return "; ".join(terms)


def _stock_keys(facts: Iterable[dict[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for fact in facts:
        groups.setdefault((fact["state"], fact["bin_code"], fact["lot_code"]), []).append(fact)
    return groups


def _counted(console: Console, part: Part, *, everything: bool) -> None:
    groups = _stock_keys(part.counted)
    if not groups:
        _say(console, "\nNothing was counted or moved there.")
    for (state, bin_code, lot_code), facts in groups.items():
        where = ", ".join(filter(None, [state, bin_code and f"bin {bin_code}", lot_code and f"lot {lot_code}"]))
        _say(console, f"\n[bold]Counted in[/bold]  ({_shown(where)})")
        if facts[0]["kind"] != "count":
            _say(console, "  never counted: it starts from zero")
        is_cut = not everything and len(facts) > MOST_LISTED
        head = facts[: MOST_LISTED // 2] if is_cut else facts
        tail = facts[-MOST_LISTED // 2 :] if is_cut else []
        left_out = facts[len(head) : len(facts) - len(tail)]
        lines = [_cells(fact) for fact in head]
        if left_out:
            moved = sum((fact["quantity"] for fact in left_out), Decimal(0))
            what = f"{len(left_out)} movements more (--all lists them)"
            lines.append(("...", what, _signed(moved), _number(left_out[-1]["balance"]), "", "", ""))
        notes = [_notes(fact) for fact in head] + [[]] * bool(left_out) + [_notes(fact) for fact in tail]
        _print(console, lines + [_cells(fact) for fact in tail], notes)


def _cells(fact: dict[str, Any]) -> tuple[str, ...]:
    is_count = fact["kind"] == "count"
    what = f"count {fact['class'] or ''}".strip() if is_count else fact["class"]
    quantity = _number(fact["quantity"]) if is_count else _signed(fact["quantity"])
    return (
        _instant(fact["event_time"]), what, quantity, _number(fact["balance"]), fact["feed"] or "",
        fact["file_name"] or "", str(fact["line_no"] or ""),
    )  # fmt: skip


def _notes(fact: dict[str, Any]) -> list[str]:
    """Return what stands below a fact: a sentence of the warehouse, the record as it was received."""
    return [str(extra) for extra in (fact["sentence"], fact.get("content")) if extra]


def _not_counted(console: Console, part: Part, *, everything: bool) -> None:
    if all(fact["is_counted"] for fact in part.facts):
        return
    _say(console, "\n[bold]Not counted, and why[/bold]")
    for reason, words in REASONS.items():
        facts = part.not_counted(reason)
        if not facts:
            continue
        moves = [fact["quantity"] for fact in facts if fact["kind"] == "movement"]
        total = f", {_signed(sum(moves, Decimal(0)))} in all" if moves else ""
        _say(console, f"  {len(facts)} x {words}{total}")
        shown = facts if everything else facts[: 0 if reason == "before_count" else 5]
        for fact in shown:
            _say(console, f"    {_left_out(fact)}")
            if fact.get("content"):
                _say(console, f"      {_shown(fact['content'])}")
        if len(shown) < len(facts):
            _say(console, f"    {'and ' if shown else ''}{len(facts) - len(shown)} {'more ' if shown else ''}"
                          "(--all lists them)")  # fmt: skip


def _left_out(fact: dict[str, Any]) -> str:
    """Return one line about a fact that was not counted."""
    where = f"{_shown(fact['feed'])}, {_shown(fact['file_name'])} line {fact['line_no']}"
    if fact["kind"] == "record":
        return f"{where}: {_shown(fact['class'])}: {_shown(fact['sentence'])}"
    value = _number(fact["quantity"]) if fact["kind"] == "count" else _signed(fact["quantity"])
    what = "count" if fact["kind"] == "count" else _shown(fact["class"])
    by = ""
    if fact["by_line_no"] is not None:
        by = f" (by {_shown(fact['by_file_name'])} line {fact['by_line_no']})"
    elif fact["reason"] == "shadow" and fact["by_feed"]:
        by = f" (authority: {_shown(fact['by_feed'])})"
    elif fact["reason"] == "not_known_yet":
        by = f" (load {fact['first_known']})"
    return f"{_instant(fact['event_time'])} {what} {value}: {where}{by}"


def _print(console: Console, lines: list[tuple[str, ...]], notes: list[list[str]]) -> None:
    """Print lines in columns, with the notes of each below it; a narrow terminal wraps them, and no figure is cut."""
    cells = [HEADER, *(tuple(printable(cell) for cell in line) for line in lines)]
    widths = [max(cell_len(line[n]) for line in cells) for n in range(len(HEADER))]
    for number, line in enumerate(cells):
        padded = [
            " " * (width - cell_len(cell)) + cell if name in RIGHT else cell + " " * (width - cell_len(cell))
            for name, cell, width in zip(HEADER, line, widths, strict=True)
        ]
        text = escape("  " + "  ".join(padded).rstrip())
        _say(console, f"[dim]{text}[/dim]" if number == 0 else text)
        for note in notes[number - 1] if number else []:
            _say(console, f"      {_shown(note)}")
