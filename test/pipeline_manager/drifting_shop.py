"""A shop whose till files change from day to day."""

import json
from pathlib import Path
from typing import Any

import openpyxl

from pipeline_manager.report import RunReport
from test.pipeline_manager.small_retailer import MASTERS, write_feeds, write_files
from test.run_warehouse import RunWarehouse

SALES = """
feed: sales
describes: What the tills sold, a file a day.
source_system: pos
files:
  pattern: "sales_*.{ending}"
  format: {format}
  logical_time: {{path: '_(\\d{{4}}-\\d{{2}}-\\d{{2}})'}}
{more}reading: {{role: authority, future_tolerance_hours: 9000}}
key: {{document: doc, line: $ordinal}}
yields:
  - fact: movement
    columns:
      product_code: sku
      location_code: place
      event_time: at
      quantity: {{from: qty, negate: true}}
      movement_class: {{from: kind, map: {{S: sale, R: return}}}}
      bin_code: {{from: [shelf, rack]}}
"""
DRIFT = "select kind, column_name, state, times, first_file from ops.schema_drift order by kind, column_name"


class Shop:
    """A warehouse, its contracts and an inbox; files of sales come one a day."""

    def __init__(
        self, warehouse: RunWarehouse, folder: Path, *, ending: str = "csv", form: str = "delimited", more: str = ""
    ) -> None:
        self.warehouse, self.feeds, self.inbox = warehouse, write_feeds(folder / "feeds"), folder / "inbox"
        self.form, self.ending = form, ending
        self.contract = self.feeds / "sales.yml"
        self.contract.write_text(SALES.format(ending=ending, format=form, more=more).lstrip(), encoding="utf-8")
        write_files(self.inbox, MASTERS)

    def name(self, day: int) -> str:
        return f"sales_2025-02-{day:02}.{self.ending}"

    def lines(self, day: int, count: int = 4, **changed: Any) -> list[dict[str, str]]:
        """Records of a day; the columns given are set or added."""
        records = []
        for number in range(count):
            line = {
                "doc": f"D{day:02}{number}", "sku": "AB"[number % 2], "place": "S1",
                "at": f"2025-02-{day:02}T10:{number:02}:00+01:00", "qty": str(number + 1), "kind": "S",
                "shelf": f"F{number}",
            }  # fmt: skip
            for column, value in changed.items():
                line[column] = value.format(n=number, **line)
            records.append(line)
        return records

    def put(
        self, day: int, records: list[dict[str, str]], *, rename: dict[str, str] | None = None, drop: str = ""
    ) -> None:
        told = [{(rename or {}).get(k, k): v for k, v in r.items() if k != drop} for r in records]
        path = self.inbox / self.name(day)
        if self.form == "xlsx":
            book = openpyxl.Workbook()
            for row in (list(told[0]), *(list(record.values()) for record in told)):
                book.worksheets[0].append(row)
            book.save(path)
        elif self.form == "jsonl":
            path.write_text("".join(json.dumps(record) + "\n" for record in told), encoding="utf-8")
        else:
            rows = [list(told[0]), *(list(record.values()) for record in told)]
            path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")

    def run(self, **options: Any) -> RunReport:
        return self.warehouse.run(self.feeds, self.inbox, **options)

    def drift(self) -> list[tuple[Any, ...]]:
        return self.warehouse.rows(DRIFT)

    def calm(self, days: range = range(1, 4), operator: str = "") -> RunReport:
        for day in days:
            self.put(day, self.lines(day, operator=operator) if operator else self.lines(day))
        return self.run()
