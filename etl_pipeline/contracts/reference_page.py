"""Renders docs/contracts.md and the JSON Schemas from the models, so that they cannot say anything else.

Run `python -m etl_pipeline.contracts.reference_page` in the repository to write them anew.
"""

import json
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from etl_pipeline.contracts.checking import BUILT_IN_SETS, DEFAULT_AUTHORITY
from etl_pipeline.contracts.facts import FACT_KINDS, FactKind
from etl_pipeline.contracts.format import Delimited, Files, Json, LogicalTime, Trailer, Xlsx, Xml
from etl_pipeline.contracts.model import (
    AllOf,
    AnyOf,
    AuthorityRule,
    Contract,
    Exclude,
    Extract,
    Fix,
    Key,
    Plausible,
    Reading,
    Retailer,
    Revision,
    Test,
    Value,
    Yield,
)
from etl_pipeline.contracts.schedule import Schedule

PAGE = Path("docs/contracts.md")
SCHEMAS: dict[Path, type[BaseModel]] = {
    Path("feeds/contract.schema.json"): Contract,
    Path("feeds/retailer.schema.json"): Retailer,
}
EXAMPLE = """\
# feeds/corner_shop/pos_sales.yml
feed: pos_sales
describes: Receipt lines of the tills, one file a store and day.
source_system: pos

files:
  pattern: pos/*.csv
  delimited: {delimiter: ";"}
  logical_time: {path: '_(\\d{8})\\.csv$', format: "%Y%m%d"}   # pos/till_0042_20250301.csv

reading:
  decimal: ","
  zone: Europe/Berlin
  formats: ["%d.%m.%Y %H:%M:%S"]

key:                       # a receipt number comes back every day at every till
  document: [store, receipt]
  line: line
  epoch: [business_day, till]
revision: {number: version}   # a corrected line is sent again with the next version
void: {voided: "1"}           # and a voided one takes its key back

yields:                    # one till line is money, and goods that leave
  - fact: sale
    columns:
      product_code: article
      location_code: store
      event_time: sold_at
      quantity: {from: pieces, sign: positive}
      net_amount: net
  - fact: movement
    columns:
      product_code: article
      location_code: store
      event_time: sold_at
      quantity: {from: pieces, negate: true}
      movement_class: {const: sale}

schedule: {every_hours: 24, grace_hours: 3}
"""
RETAILER_EXAMPLE = """\
# feeds/corner_shop/retailer.yml
retailer: corner_shop
describes: Three shops and a warehouse in Berlin.
zone: Europe/Berlin
currency: EUR
units: {DZ: 12}
"""
_INTRO = f"""\
# Contracts

<!-- Rendered by `python -m etl_pipeline.contracts.reference_page`; change the models, not this page. -->

A contract is a YAML file that describes one feed: where its files lie, how they are read, what a record is called,
and which facts it yields. A retailer is a folder: `retailer.yml` and one contract a feed. To write one, follow
[onboarding.md](onboarding.md); this page is the reference. `systock feeds check FOLDER` names every mistake with its
line. What the facts mean for stock and promises is written in `data_warehouse/`; how records are conformed, in
`etl_pipeline/silver_layer/`; what a run tells when a feed's columns change, in [evolving-feeds.md](evolving-feeds.md).

```yaml
{EXAMPLE}```

```yaml
{RETAILER_EXAMPLE}```

YAML is read as it is written: plain `007`, `NO`, `12:30` and `2025-03-01` stay text, and keys are always text. Tags
(`!!...`) and keys that stand twice are mistakes. For completion in an editor, begin the file with
`# yaml-language-server: $schema=../contract.schema.json`.

A value goes through its steps in this order: source (`const`, `from`, `join` or `calc`), `extract`, `clean`, `pad`,
`null_if`, `lookup`, `map`, `default`; a number then through `absolute`, `negate` and `sign`; a time through `formats`
and `zone`. Instead of a mapping, a plain text names the source column: `quantity: Qty` is `quantity: {{from: Qty}}`.

"""
_CONDITIONS = """\
## Keys

A condition is `{column: value}`, `{column: [value, ...]}` or `{column: test}`; all its columns must hold. `null` is an
empty value. Values are compared after trimming and without `null_tokens`.

"""
_FACTS = """\
## Facts

`code` and `text` are text (a code mixes no alphabets); `quantity`, `money`, `number` and `integer` are exact decimals;
`instant` is a time, stored in UTC; `flag` is yes or no.

"""
_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The contract", Contract),
    ("`files`", Files),
    ("`files.delimited`", Delimited),
    ("`files.delimited.trailer`", Trailer),
    ("`files.json`", Json),
    ("`files.xlsx`", Xlsx),
    ("`files.xml`", Xml),
    ("`files.logical_time`", LogicalTime),
    ("`reading`", Reading),
    ("`reading.plausible`", Plausible),
    ("`key`", Key),
    ("`revision`", Revision),
    ("`exclude[]`", Exclude),
    ("`fixes[]`", Fix),
    ("`yields[]`", Yield),
    ("A value", Value),
    ("A condition's test", Test),
    ("`any_of`", AnyOf),
    ("`all_of`", AllOf),
    ("`schedule`", Schedule),
    ("`extract`", Extract),
    ("`retailer.yml`", Retailer),
    ("`authority[]` of `retailer.yml`", AuthorityRule),
)
# Meanings that the models leave to their docstrings or to the reader.
_MEANINGS = {
    (Test, "equals"): "This text; null is empty.",
    (Test, "starts_with"): "The text begins with this.",
    (Test, "ends_with"): "The text ends with this.",
    (Test, "at_most"): "As numbers.",
    (Test, "greater_than"): "As numbers.",
    (Test, "at_least"): "As numbers.",
    (AnyOf, "any_of"): "Conditions.",
    (AllOf, "all_of"): "Conditions.",
    (Exclude, "when"): "Which records.",
    (Fix, "where"): "Which records have the fault.",
    (Fix, "only_while"): "The fix holds only while this does: it ends by itself once the sender repairs the fault.",
    (Fix, "set"): "Column: the right value.",
    (Fix, "reason"): "Why, and who confirmed it.",
    (Contract, "exclude"): "Records that are no business of the warehouse.",
    (Contract, "fixes"): "Known faults of the source.",
    (Contract, "yields"): "The facts that a record gives; each rule is asked for each record.",
    (Extract, "kind"): "What it is fetched from.",
    (Retailer, "retailer"): "Name of the retailer.",
    (Retailer, "describes"): "One sentence for people.",
    (Retailer, "currency"): "Currency of money that names none.",
}


def _type_name(annotation: Any) -> str:
    """Return a type as a reader of YAML would say it."""
    if get_origin(annotation) is Annotated:
        return _type_name(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        names = [_type_name(member) for member in get_args(annotation) if member is not type(None)]
        return " or ".join(dict.fromkeys(names))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" if value != "" else "`''`" for value in get_args(annotation))
    if get_origin(annotation) is list:
        inner = _type_name(get_args(annotation)[0])
        if inner == "mapping, below":
            return "list, below"
        return f"list of: {inner}" if "`" in inner or " " in inner else f"list of {inner}s"
    if get_origin(annotation) is dict:
        return f"mapping to {_type_name(get_args(annotation)[1])}"
    if "Condition" in str(annotation):
        return "condition"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "value" if annotation is Value else "mapping, below"
    plain = {str: "text", int: "integer", float: "number", bool: "true/false"}
    return plain.get(annotation, f"`{getattr(annotation, '__name__', str(annotation)).lower()}`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(info: Any) -> str:
    if info.is_required():
        return "**required**"
    value = info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value is None or value in ([], {}):
        return ""
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def meaning_of(model: type[BaseModel], name: str) -> str:
    """Return what a field means: its description, else what is said here, else the docstring of its own model."""
    info = model.model_fields[name]
    if info.description:
        return info.description
    if (model, name) in _MEANINGS:
        return _MEANINGS[model, name]
    members = get_args(info.annotation) or (info.annotation,)
    models = [member for member in members if isinstance(member, type) and issubclass(member, BaseModel)]
    return (models[0].__doc__ or "").partition("\n")[0] if models else ""


def _field_type(info: Any) -> str:
    if "any_of" in str(info.description):
        return "condition"
    name = _type_name(info.annotation)
    return "condition" if "anyof" in name else name


def _model_table(title: str, model: type[BaseModel]) -> str:
    lines = [
        f"### {title}",
        "",
        _cell(model.__doc__ or ""),
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, info in model.model_fields.items():
        shown = info.alias or name
        meaning = _cell(meaning_of(model, name))
        lines.append(f"| `{shown}` | {_cell(_field_type(info))} | {_cell(_default(info))} | {meaning} |")
    return "\n".join(lines) + "\n\n"


def _kind_table(kind: FactKind) -> str:
    suffix = " Master data." if kind.is_master else ""
    lines = [f"### `{kind.name}`", "", kind.meaning + suffix, "", "| column | type | | meaning |", "|---|---|---|---|"]
    for column in kind.columns:
        if not column.given:
            continue
        state = "**required**" if column.required else f"`{column.default}`" if column.default else ""
        choices = f" One of {', '.join(f'`{choice}`' for choice in column.choices)}." if column.choices else ""
        lines.append(f"| `{column.name}` | {column.type} | {state} | {_cell(column.meaning + choices)} |")
    computed = [f"`{column.name}`" for column in kind.columns if not column.given]
    if computed:
        lines += ["", f"Computed by the warehouse, not to be mapped: {', '.join(computed)}."]
    return "\n".join(lines) + "\n\n"


def _authority() -> str:
    lines = [
        "## Who is counted",
        "",
        "Each physical movement is counted once. Where several systems tell of it, one is the authority; the others",
        "are shadow: kept, compared, never added. `reading.role` of a contract decides for the whole feed. Else the",
        "first rule of `authority` in `retailer.yml` that speaks of the movement class (or of `count`, `sale`,",
        "`demand`, `supply`) at that kind of location decides. Without `authority` these rules hold, each only if the",
        "retailer has such a system:",
        "",
        "| facts | at | counted from |",
        "|---|---|---|",
    ]
    for rule in DEFAULT_AUTHORITY:
        at = ", ".join(rule.at) if rule.at else "everywhere"
        lines.append(f"| {', '.join(f'`{fact}`' for fact in rule.facts)} | {at} | `{rule.from_}` |")
    lines += [
        "",
        "What no rule speaks of is counted, whoever tells it: `systock feeds check` warns where two systems do.",
        "",
    ]
    return "\n".join(lines) + "\n"


def _sets() -> str:
    lines = [
        "## Lookup sets",
        "",
        "`lookup: set.attribute` finds a code of this feed in what another feed (or this one) sent as `reference`. A",
        "record whose code is not there yet waits in quarantine and is judged again once it arrives. Built in:",
        "",
    ]
    lines += [f"- `{name}`: {', '.join(f'`{a}`' for a in sorted(found))}" for name, found in BUILT_IN_SETS.items()]
    lines += ["", "(`unit` is keyed `product|unit`, with an empty product for all.)", ""]
    return "\n".join(lines) + "\n"


def render_page() -> str:
    """Return the text of docs/contracts.md."""
    models = "".join(_model_table(title, model) for title, model in _SECTIONS)
    kinds = "".join(_kind_table(kind) for kind in FACT_KINDS.values())
    return (_INTRO + _CONDITIONS + models + _authority() + _sets() + _FACTS + kinds).rstrip() + "\n"


def render_schema(model: type[BaseModel]) -> str:
    """Return a model's JSON Schema for editors."""
    return json.dumps(model.model_json_schema(by_alias=True), indent=2, ensure_ascii=False) + "\n"


def rendered() -> dict[Path, str]:
    """Return every rendered file below the repository, with its text."""
    return {PAGE: render_page(), **{path: render_schema(model) for path, model in SCHEMAS.items()}}


def write(root: Path) -> None:
    """Write every rendered file below the root of the repository."""
    for path, text in rendered().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parents[2])
