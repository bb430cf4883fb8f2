"""One HTML file for a phone: no script, nothing fetched, and no text of the data is taken for markup."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from etl_pipeline.core.log import printable
from pipeline_manager.morning.gold_reader import MOST_SHOWN, Listing

WRAPPED = {"sentence": "w long", "file_name": "w", "product_name": "w"}
"""Columns whose text may be long: they wrap."""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
:root {{ --ground: #fbfaf8; --card: #fff; --text: #22262b; --soft: #5d656f; --line: #dcdfe3; --bad: #b3261e;
  --good: #2d7a53; --link: #17658c; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #15181c; --card: #1d2126; --text: #e4e7ea; --soft: #a3abb5; --line: #363c44; --bad: #ff8a80;
    --good: #7ccba2; --link: #7cc4e8; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 1rem; max-width: 56rem; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }}
h1 {{ font-size: 1.5rem; line-height: 1.2; margin: .5rem 0; }}
h2 {{ font-size: 1.15rem; margin: 0 0 .25rem; }}
h3 {{ font-size: 1rem; margin: 1rem 0 .25rem; }}
p {{ margin: .25rem 0 .75rem; max-width: 46rem; }}
a {{ color: var(--link); }}
.soft, figcaption, summary, footer {{ color: var(--soft); font-size: .875rem; }}
nav a, section {{ background: var(--card); border: 1px solid var(--line); border-radius: 10px; }}
nav {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .5rem; margin: 1rem 0; }}
nav a {{ padding: .5rem .75rem; color: inherit; text-decoration: none; }}
nav b {{ display: block; font-size: 1.125rem; line-height: 1.3; }}
nav span {{ font-size: .875rem; color: var(--soft); }}
.look b::before {{ content: "! "; color: var(--bad); }}
.calm b::before {{ content: "\\2713  "; color: var(--good); }}
section {{ padding: 1rem; margin: 1rem 0; }}
figure {{ margin: .5rem 0 1rem; }}
figure svg {{ display: block; width: 100%; max-width: 34rem; height: auto; overflow: visible; }}
.table {{ overflow-x: auto; margin: .5rem 0; }}
table {{ border-collapse: separate; border-spacing: 0; font-size: .875rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }}
th, td {{ padding: 5px .75rem 5px 0; line-height: 20px; text-align: left; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid var(--line); }}
th {{ color: var(--soft); font-weight: 600; white-space: normal; vertical-align: bottom; }}
tr > :first-child {{ position: sticky; left: 0; background: var(--card); }}
.n {{ text-align: right; }}
.w {{ white-space: normal; min-width: 13rem; overflow-wrap: anywhere; }}
.long {{ min-width: 34rem; }}
pre {{ overflow-x: auto; background: var(--ground); padding: .75rem; border-radius: 6px; font-size: .8125rem;
  line-height: 1.4; }}
summary {{ cursor: pointer; padding: .25rem 0; }}
</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="soft">{told}</p>
</header>
{body}
<footer>{footer}</footer>
</body>
</html>
"""
_FOOTER = (
    'Written by <code>systock report</code> from gold alone. Times are UTC. For the SQL: <code>psql "$(systock '
    'dsn)"</code>. What each view and column means: docs/gold.md; how to read this page: docs/report.md.'
)


@dataclass(frozen=True)
class Table:
    """A short table and the way to the whole of it."""

    title: str
    listing: Listing


@dataclass(frozen=True)
class Section:
    """One subject.

    Attributes:
        anchor: its name in links of the page.
        title: its heading.
        headline: the figure at the top of the page.
        is_calm: nothing there asks for a person.
        meaning: what it means and what to do.
        plots: caption and SVG of each.
        tables: those without rows are left out.
    """

    anchor: str
    title: str
    headline: str
    is_calm: bool
    meaning: str
    plots: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()


def sentence_of(counts: Mapping[str, int]) -> str:
    """Return "3 of this, 2 of that." with the numbers that are not 0; the words have a mark for the number."""
    told = [words.format(f"{count:,}") for words, count in counts.items() if count]
    return "; ".join(told) + "." if told else ""


def shown(text: Any) -> str:
    """Return text of the data as HTML: no markup, no control characters, nothing that turns the line around."""
    return escape(printable(str(text)))


def render_page(title: str, told: str, sections: Sequence[Section]) -> str:
    """Return the page."""
    body = f"<nav>{''.join(map(_tile, sections))}</nav>\n" + "\n".join(map(_section, sections))
    return _PAGE.format(title=shown(title), told=shown(told), body=body, footer=_FOOTER)


def render_empty(title: str, told: str, advice: str) -> str:
    """Return the page of a warehouse in which nothing is: it says what to do.

    Args:
        title: the page's.
        told: what there is to say of the data.
        advice: HTML of ours.
    """
    return _PAGE.format(title=shown(title), told=shown(told), body=f"<section>{advice}</section>", footer=_FOOTER)


def _tile(section: Section) -> str:
    mood = "calm" if section.is_calm else "look"
    told = f"<b>{shown(section.headline)}</b><span>{shown(section.title)}</span>"
    return f'<a class="{mood}" href="#{section.anchor}">{told}</a>'


def _section(section: Section) -> str:
    plots = "".join(
        f"<figure><figcaption>{shown(caption)}</figcaption>{svg}</figure>\n" for caption, svg in section.plots
    )
    tables = "".join(_table(table) for table in section.tables if table.listing.rows)
    return (
        f'<section id="{section.anchor}">\n<h2>{shown(section.title)}</h2>\n<p>{shown(section.meaning)}</p>\n'
        f"{plots}{tables}</section>"
    )


def _table(table: Table) -> str:
    rows = table.listing.rows[:MOST_SHOWN]
    names = list(rows[0])
    classes = {name: _class(name, [row[name] for row in rows]) for name in names}
    head = "".join(f"<th{classes[name]}>{shown(name.replace('_', ' '))}</th>" for name in names)
    body = "\n".join(
        "<tr>" + "".join(f"<td{classes[name]}>{shown(cell(row[name]))}</td>" for name in names) + "</tr>"
        for row in rows
    )
    total = table.listing.total
    how = f"The worst {len(rows)} of {total:,}; all of them" if total > len(rows) else f"All {total:,}"
    query = escape(printable(table.listing.query, one_line=False))
    return (
        f'<h3>{shown(table.title)}</h3>\n<div class="table" tabindex="0"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>\n"
        f"<details><summary>{how} as SQL</summary><pre><code>{query}</code></pre></details>\n"
    )


def _class(name: str, values: Sequence[Any]) -> str:
    if any(isinstance(value, int | Decimal) and not isinstance(value, bool) for value in values):
        return ' class="n"'
    return f' class="{WRAPPED[name]}"' if name in WRAPPED else ""


def cell(value: Any) -> str:
    """Return a value as a person reads it; numbers are not rounded."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        text = f"{value:,f}"
        return re.sub(r"\.?0+$", "", text) if "." in text else text
    return f"{value:,}" if isinstance(value, int) else str(value)
