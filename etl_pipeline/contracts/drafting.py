"""Drafts a contract from a sample file: a proposal for a person, every guess marked."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from etl_pipeline.contracts.checking import UNFILLED
from etl_pipeline.contracts.drafting_columns import OFFSET, Profile, profiles_of
from etl_pipeline.contracts.drafting_meaning import Meaning, guess
from etl_pipeline.contracts.drafting_records import sample_of
from etl_pipeline.contracts.drafting_sniff import Sample
from etl_pipeline.contracts.facts import FACT_KINDS
from etl_pipeline.core.log import printable

_SYSTEM = {"sale": "pos", "movement": "wms", "count": "wms", "demand": "shop", "offer": "supplier"}
_SOURCES: dict[str, tuple[str, ...]] = {
    "product_code": ("product", "gtin"),
    "location_code": ("location",),
    "event_time": ("time", "created", "updated"),
    "quantity": ("quantity", "on_hand"),
    "net_amount": ("net_amount",),
    "unit_price": ("unit_price",),
    "unit_cost": ("cost", "unit_price"),
    "supplier_stock": ("on_hand",),
    "lead_time_days": ("lead_time",),
    "minimum_quantity": ("minimum",),
    "pack_quantity": ("pack",),
    "bin_code": ("bin",),
    "lot_code": ("lot",),
    "customer_code": ("customer",),
    "currency": ("currency",),
    "unit_code": ("unit",),
    "base_unit": ("unit",),
    "supplier_code": ("supplier",),
    "supplier_name": ("supplier_name", "product_name"),
    "order_document": ("order_document", "document"),
    "order_line": ("line",),
    "due_at": ("due",),
    "product_name": ("product_name",),
    "location_name": ("location_name", "product_name"),
    "category_code": ("category",),
    "gtin": ("gtin",),
    "standard_cost": ("cost",),
    "list_price": ("list_price", "unit_price"),
    "safety_stock": ("safety",),
    "reorder_point": ("reorder",),
    "zone": ("zone",),
    "count_document": ("document",),
}
_LABELS = {"movement_class": "event", "event": "event"}
_WORDS_OF_YAML = {"null", "true", "false", "yes", "no", "on", "off", "~", ""}


def quoted(text: str) -> str:
    """Return a text as a YAML scalar, quoted unless it is certainly plain."""
    is_plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./() -]*[A-Za-z0-9_)]|[A-Za-z_]", text) is not None
    if is_plain and text.lower() not in _WORDS_OF_YAML:
        return text
    return json.dumps(text, ensure_ascii=True)


def _safe(text: str, most: int) -> str:
    """Return a text for a comment: nothing in it can end the comment, break YAML or move a terminal."""
    return "".join(char if char.isprintable() else "?" for char in printable(text))[:most]


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(quoted(name) for name in names) + "]"


def _shown(look: Profile) -> str:
    """Return a column's values for a comment."""
    samples = ", ".join(_safe(value, 30) for value in look.samples) or "always empty"
    about = look.kind + (f" {look.decimal}" if look.decimal == "," else "") + (" signed" if look.has_negative else "")
    return f"{about}; {look.distinct} distinct, e.g. {samples}" if look.samples else "always empty"


def _name_of(path: Path) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", path.name.partition(".")[0].lower()).strip("_")
    stem = re.sub(r"_?\d{4,}(_\d+)*$", "", stem)
    if not stem:  # a date alone; the folder says more
        stem = re.sub(r"[^a-z0-9]+", "_", path.absolute().parent.name.lower()).strip("_")
    is_name = re.match(r"[a-z]", stem) and stem not in _WORDS_OF_YAML
    return (stem if is_name else f"feed_{stem}".rstrip("_"))[:48]


def _pattern_of(path: Path) -> str:
    return quoted("**/" + re.sub(r"\d{2,}", "*", re.sub(r"[\[\]?]", "*", path.name)))


class _Draft:
    """Collects the lines of a draft and what is still to be filled in."""

    def __init__(self, path: Path, sample: Sample) -> None:
        self.path, self.sample = path, sample
        self.profiles = profiles_of(sample)
        self.meaning: Meaning = guess(sample, self.profiles, path)
        self.lines: list[str] = []

    def add(self, text: str, note: str = "", *, unsure: str = "") -> None:
        """Add a line with a comment; the decision that a person must take comes first."""
        comment = "; ".join(part for part in (f"unsure: {unsure}" if unsure else "", note) if part)
        self.lines.append(f"{text}  # {comment}" if comment else text)

    def text(self) -> str:
        """Return the whole draft."""
        self._head()
        self._files()
        self._reading()
        self._key()
        self._yields()
        body = "\n".join(self.lines) + "\n"
        count = body.count(f'"{UNFILLED}"')
        fill = (
            f'# Fill in the {count} place(s) marked "{UNFILLED}" first; it does not load before that.\n'
            if count
            else ""
        )
        return self._intro() + fill + self._columns() + body

    def _intro(self) -> str:
        sample = self.sample
        more = " or more" if sample.is_cut else ""
        lines = [
            f"# Draft made from {_safe(self.path.name, 80)} ({len(sample.rows)}{more} records looked at).",
            "# Decide each `unsure`, then run `systock feeds check`; docs/onboarding.md goes through the questions.",
        ]
        if self.sample.compression in ("gzip", "zip"):
            lines.append(f"# The file is packed ({self.sample.compression}); that is seen from its first bytes.")
        return "\n".join([*lines, *(f"# Note: {_safe(note, 200)}" for note in sample.notes)]) + "\n"

    def _columns(self) -> str:
        """Return every column of the sample as a comment."""
        lines = ["#", "# Columns:"]
        for look in self.profiles.values():
            lines.append(f"#   {_safe(look.name, 60)}: {_shown(look)}")
        return "\n".join(lines) + "\n"

    def _head(self) -> None:
        kind, rivals = self.meaning.kind, ", ".join(self.meaning.rivals)
        self.add(f"feed: {_name_of(self.path)}")
        self.add(f"describes: {quoted(f'Draft, seems to be {kind} data; say in one sentence what it is.')}")
        system = _SYSTEM.get(kind, "erp")
        self.add(f"source_system: {system}", unsure="which system sends it? It decides who is counted (authority)")
        if rivals:
            self.add(f"# unsure: the fact kind {kind} is a guess; it could be {rivals} too")

    def _files(self) -> None:
        sample = self.sample
        self.add("files:")
        self.add(f"  pattern: {_pattern_of(self.path)}", unsure="does it match every file of the feed, and no other?")
        if sample.format != "delimited":
            self.add(f"  format: {sample.format}")
        if sample.encoding != "utf-8":
            unsure = "cp1252 and latin-1 differ in a few signs" if sample.encoding in ("cp1252", "latin-1") else ""
            self.add(f"  encoding: {sample.encoding}", unsure=unsure)
        if sample.dialect:
            self.add(f"  {'json' if sample.format == 'jsonl' else sample.format}:")
            for name, value in sample.dialect.items():
                text = _listed(value) if isinstance(value, list) else json.dumps(value)
                self.add(f"    {name}: {text}", unsure="put the real names here" if name == "columns" else "")
        dated = re.search(r"\d{4}-?\d{2}-?\d{2}", self.path.name)
        if dated:
            form = "%Y-%m-%d" if "-" in dated.group() else "%Y%m%d"
            regex = r"(\d{4}-\d{2}-\d{2})" if "-" in dated.group() else r"(\d{8})"
            self.add(
                f"  logical_time: {{path: '{regex}', format: '{form}'}}",
                unsure="is this when the sender made the file?",
            )
        if sample.rows and not sample.is_cut:
            few, many = max(1, len(sample.rows) // 10), len(sample.rows) * 10
            self.add(f"  # records: {{at_least: {few}, at_most: {many}}}  # this one has {len(sample.rows)}; a file "
                     "outside waits for a person")  # fmt: skip

    def _reading(self) -> None:
        looks = self.profiles.values()
        self.add("reading:")
        used = [
            self.profiles[name]
            for m in ("time", "created", "due", "updated")
            for name in self.meaning.columns.get(m, [])[:1]
        ]
        formats = list(dict.fromkeys(form for look in used for form in look.formats[:1]))
        rivals = sorted({form for look in used for form in look.formats[1:]})
        if formats and formats != ["iso"]:
            also = f"{', '.join(rivals[:4])} read all samples too" if rivals else ""
            self.add(f"  formats: {json.dumps(formats)}", unsure=also)
        has_offset = used and all(OFFSET.search(s) for look in used for s in look.samples)
        if used and not has_offset and not any(form.startswith("epoch") for form in formats):
            self.add(
                "  # zone: Europe/Berlin", unsure="in which zone are the times? Without it the retailer's is taken"
            )
        if any(look.decimal == "," for look in looks):
            self.add('  decimal: ","')
            if any("." in sample for look in looks if look.decimal == "," for sample in look.samples):
                self.add('  thousands: "."')
        elif any("," in sample for look in looks if look.decimal == "." for sample in look.samples):
            self.add('  thousands: ","')
        words = sorted({word for look in looks for word in look.null_words})
        if words:
            self.add(f"  null_tokens: {json.dumps(words)}", unsure="do these texts mean empty?")
        largest = self._largest_quantity()
        if largest:
            self.add(
                f"  # plausible: {{most: {largest * 10}}}  # largest quantity here: {largest}; no bound without it"
            )
        self.add("  unknown_product: quarantine", unsure="`create` if no other feed has the products")
        self.add("  unknown_location: quarantine", unsure="`create` if no other feed has the places")

    def _largest_quantity(self) -> int | None:
        """Return the largest whole part of a quantity in the sample; None where it has none that is plainly written."""
        column = self.meaning.best("quantity", "on_hand")
        texts = (row.get(column, "").strip().lstrip("+-") for row in self.sample.rows) if column else ()
        return max(
            (int(text.partition(".")[0]) for text in texts if re.fullmatch(r"\d{1,15}(\.\d*)?", text)), default=None
        )

    def _key(self) -> None:
        made = self.meaning
        self.add("key:")
        document = made.document[0] if len(made.document) == 1 else None
        self.add(f"  document: {quoted(document) if document else _listed(made.document)}", unsure=made.key_note)
        if isinstance(made.line, str):
            self.add(f"  line: {made.line}")
        elif made.line:
            self.add(f"  line: {quoted(made.line[0]) if len(made.line) == 1 else _listed(made.line)}")
        self.add("  # epoch: column  # if document numbers start again: business date, till, year")
        number, updated = made.best("revision"), made.best("updated")
        if number or updated:
            self.add("revision:")
            if number:
                self.add(f"  number: {quoted(number)}", unsure="does it grow with every correction?")
            if updated:
                self.add(f"  updated_at: {quoted(updated)}")
        self.add("# void: {column: value}  # if a record can take an earlier one back")

    def _yields(self) -> None:
        kind = self.meaning.kind
        self.add("yields:")
        self.add(f"  - fact: {kind}", unsure="" if not self.meaning.rivals else f"or {', '.join(self.meaning.rivals)}?")
        self.add("    columns:")
        for column in FACT_KINDS[kind].columns:
            if column.given:
                self._fact_column(kind, column.name, required=column.required)
        if kind == "sale":
            self.add(
                "  # A till line is a movement too: copy it with `fact: movement`, `movement_class: {const: sale}`"
            )
            self.add("  # and `quantity: {from: ..., negate: true}`, unless another feed tells the stock.")
        self.add("# schedule: {every_hours: 24}  # when files are due; each: folder, if every store sends its own")

    def _fact_column(self, kind: str, name: str, *, required: bool) -> None:
        words = _SOURCES.get(name, ())
        source = self.meaning.best(*words, "document") if name == f"{kind}_code" else self.meaning.best(*words)
        place = f"      {name}: "
        if name in _LABELS and required:
            self._label(place, name, kind)
        elif source is not None:
            look, extra = self.profiles[source], ""
            value = quoted(source)
            if look.is_numbered and FACT_KINDS[kind].by_name[name].type == "code":
                value = f"{{from: {value}, clean: [strip_decimal_zero]}}"
            others = self.meaning.columns.get(next((m for m in _SOURCES[name] if self.meaning.columns.get(m)), ""), [])[
                1:4
            ]
            if others:
                extra = f"or {', '.join(_safe(other, 60) for other in others)}?"
            elif name == "quantity" and look.has_negative:
                extra = "negative values mean what: returns, issues, corrections?"
            self.add(place + value, _shown(look), unsure=extra)
        elif name == "net_amount" and self.meaning.best("quantity") and self.meaning.best("unit_price"):
            sides = [str(self.meaning.best(m)) for m in ("quantity", "unit_price")]
            odd = [side if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", side) else f"`{side}`" for side in sides]
            self.add(f"{place}{{calc: {json.dumps(' * '.join(odd))}}}", unsure="with or without tax and discount?")
        elif required and name == "location_code":
            self.add(f'{place}{{const: "{UNFILLED}"}}', unsure="the file names no place; write its code")
        elif required and name == "event_time" and "logical_time" in "".join(self.lines):
            self.add(f"{place}$file.logical_time", unsure="the records name no time, so the file's is taken")
        elif required:
            self.add(f'{place}"{UNFILLED}"', unsure=next(c.meaning for c in FACT_KINDS[kind].columns if c.name == name))

    def _label(self, place: str, name: str, kind: str) -> None:
        """Add a column with choices: a map to be filled in, or a constant."""
        choices = FACT_KINDS[kind].by_name[name].choices
        source = self.meaning.best("event")
        known = f"one of {', '.join(choices)}"
        look = self.profiles[source] if source else None
        if source is None or look is None or not 0 < look.distinct <= 40:  # noqa: PLR2004 - a code has few values
            default = {"demand": "reserve", "supply": "order"}.get(kind)
            self.add(f"{place}{{const: {default or json.dumps(UNFILLED)}}}", unsure=known)
            return
        self.add(f"{place.rstrip()}")
        self.add(f"        from: {quoted(source)}", _shown(look))
        self.add("        map:", unsure=known)
        values = sorted({row[source].strip() for row in self.sample.rows} - {""})
        for value in values[:40]:
            self.add(f'          {json.dumps(value)}: "{UNFILLED}"')


def draft_contract(path: Path) -> str:
    """Return the YAML text of a proposed contract for files like this one; only its first records are read.

    Raises:
        UsageError: it is empty, damaged, or of no format that is known.
    """
    return _Draft(path, sample_of(path)).text()
