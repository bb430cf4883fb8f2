"""Renders docs/gold.md from the descriptions of the dbt project, which are their one home."""

import re
from pathlib import Path
from typing import Any

import yaml

MODELS = Path(__file__).parent / "gold" / "models"
PAGE = Path(__file__).parents[1] / "docs" / "gold.md"
_DOC = re.compile(r"{% docs (\w+) %}\n(.*?)\n{% enddocs %}", re.DOTALL)
_REFERENCE = re.compile(r"{{ doc\('(\w+)'\) }}")

_HEAD = """# Gold

What people and BI tools read. Every view, its grain, its columns and one example query. This page is rendered from the
dbt project (`python -m data_warehouse.gold_reference`); a test refuses drift. The same words are comments in the
database: `\\d+ gold.stock_on_hand`.

- Read as `bi_reader` (`grant bi_reader to ...`): it sees gold and nothing else.
- Stock may be added up over products and places, never over time; money never over currencies.
- "Now" is the latest instant known to the warehouse, by its files' own times. No clock decides a number.
- `known` is the load sequence number at which something was learned. It orders loads; it is no time.

## Extending gold

The views are a dbt project in `data_warehouse/gold`. Add `models/<folder>/<view>.sql` (header with grain, reads and
used by; imports as CTEs on top; the last CTE named like the view) and describe the view and every column in the
folder's YAML; new words for columns go to `models/columns.md`. The next run deploys what has changed: the project's
hash is kept in `ops.setting` as `gold_version`. All views are swapped in one transaction, and **views of others that
depend on them are dropped with them**: build on gold inside this project.

What dbt makes of the project is shipped beside it (`gold_compiled.json`; `python -m data_warehouse.gold_compiled`
writes it anew after a change, and a test refuses drift), so a run needs no dbt. Where the project is another one, the
next run lets dbt compile it and keeps that in `SYSTOCK_HOME/dbt`. Where it asks for more than views and plain tests
(tables, hooks, grants, severities, macros in place of dbt's own), dbt itself deploys it, view by view. By hand:

```sh
cd data_warehouse/gold
export SYSTOCK_DBT_HOST=... SYSTOCK_DBT_PORT=5432 SYSTOCK_DBT_USER=... SYSTOCK_DBT_DATABASE=systock
export DBT_ENV_SECRET_SYSTOCK_PASSWORD=...
dbt build --profiles-dir . --target-path /tmp/gold --log-path /tmp/gold
dbt build --profiles-dir . --target-path /tmp/gold --log-path /tmp/gold \\
    --vars '{bronze_schema: exp1_bronze, silver_schema: exp1_silver, gold_schema: exp1_gold, ops_schema: exp1_ops}'
dbt source freshness --profiles-dir . --target-path /tmp/gold --log-path /tmp/gold   # has a load run lately?
```

On Snowflake likewise, after a shipment (docs/snowflake.md): `SNOWFLAKE_ACCOUNT`, `SNOWFLAKE_USER`,
`SNOWFLAKE_DATABASE`, `SNOWFLAKE_WAREHOUSE`, `SNOWFLAKE_ROLE`, then `SNOWFLAKE_PRIVATE_KEY_PATH` or
`DBT_ENV_SECRET_SNOWFLAKE_PASSWORD`, and `dbt build --target snowflake` with the same switches.

## Two engines

The project builds on PostgreSQL (target `warehouse`) and on Snowflake (target `snowflake`, dbt-snowflake; over what is
shipped there), from one text. A model is written in what both have in common:

- `case when` inside the aggregate, no `filter (where ...)`; `row_number()`, no `distinct on`; no `window` clause; no
  correlated subquery in the list of columns; no comparison of rows; `(values ...)` joined and not `lateral`;
- no name that is a reserved word of either (`start`, `check`); `nulls last` written where nulls may be;
- where the engines differ, a macro of `macros/` named by what is meant, with a body for each (`adapter.dispatch`), so
  that what PostgreSQL is given stays as quick as it was.

What differs, and what stands for it: `greatest_known()` passes nulls over (Snowflake's own `greatest` is null then);
`exact()` keeps decimals (a bare `numeric` of Snowflake has none); `plain()`, around every number that is shown, makes
it exact again, for roots and powers are floating there; `whole_part()` (Snowflake divides whole numbers to decimals);
`as_text()` for a number within a sentence; `local()`, `days_after()`, `minutes_before()`, `seconds_between()` (an
instant is a timestamp without a zone there, holding UTC); `forever()` and `before_all()` (the last microsecond of 9999
and the first day of year 1 stand for the infinities); `listed()`, `words()`, `each_of()`, `readable()`, `holds_word()`;
`reserved()`.

Some views ask functions of the database. Snowflake is sent their answers, as tables of the functions' names in the gold
schema: `answers/*.sql` has the question of each (`count_variance`, `feed_freshness_at`, `feed_gap_at`, `stock_as_of`),
and dbt compiles it for PostgreSQL like a view. The moving average of stock, an aggregate of ours, is there the sum of
its changes (`silver.value_entry`).

Division has 12 decimals on Snowflake and 16 significant digits or more on PostgreSQL. What is shown of a quotient is
rounded to 6 at most, so the two can differ in the last digit shown where a quotient lies next to its half. Text sorts
by its bytes on Snowflake, and on the keeper as its database sorts: the embedded server's does so by bytes.

The keeper's functions (`gold.can_promise`, `gold.stock_as_of` at any instant, `gold.feed_gap_at(now())`) are not on
Snowflake ([024](decisions/024-gold-for-two-engines.md)). That both have the same rows is tried in
`test/snowflake/test_gold_parity.py`, against the stand-in: what only Snowflake itself would refuse, it cannot show.

## Snapshots

Sealed business days, beside the views: `gold.snapshot` (one row per kind, business date and version),
`gold.stock_snapshot`, `gold.product_snapshot`, `gold.sales_snapshot` (rows by `snapshot_id`) and
`gold.snapshot_difference` (what a restated version changed).

```sql
select * from gold.snapshot_days(date '2025-03-01', date '2025-03-31');  -- both days included
select gold.snapshot_stock(date '2025-03-01');                           -- one day, the snapshot's number
select * from gold.snapshot_difference order by snapshot_id;             -- what late facts changed
select * from gold.broken_snapshots();                                   -- the chain of hashes: none is right
select * from gold.altered_snapshots();                                  -- rows against their hash; reads everything
```

The same facts give the same snapshot and write nothing; other facts give the next version beside it. A day that is not
over at every place is refused by the procedures of one day and left out by `snapshot_days`; one that is not over by the
warehouse's own zone is refused by all. A location's day ends by its zone and `day_close_minutes`; where it has no zone,
by `ops.setting` `zone`. Products are frozen at midnight of that zone. The version that holds is the greatest.
"""


def described_models() -> list[dict[str, Any]]:
    """Return the views of gold as YAML describes them, with the words of columns filled in."""
    words = dict(_DOC.findall((MODELS / "columns.md").read_text(encoding="utf-8")))
    found: list[dict[str, Any]] = []
    for path in sorted(MODELS.rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            if path.parent.name == "inside":
                continue
            columns = {c["name"]: _REFERENCE.sub(lambda m: words[m[1]], c["description"]) for c in model["columns"]}
            found.append({"name": model["name"], "folder": path.parent.name, "description": model["description"],
                          "columns": columns, **model["config"]["meta"]})  # fmt: skip
    return found


def gold_page() -> str:
    """Return the text of docs/gold.md."""
    parts = [_HEAD, "## Views\n"]
    for model in described_models():
        rows = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in model["columns"].items())
        parts.append(
            f"### gold.{model['name']}\n\n{model['description']}\n\n**Grain:** {model['grain']}\n\n"
            f"| Column | Meaning |\n|---|---|\n{rows}\n\n```sql\n{model['example']}\n```\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(gold_page(), encoding="utf-8")
