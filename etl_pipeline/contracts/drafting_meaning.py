"""What a sample seems to be: a kind of fact, which column means what, and a key."""

from dataclasses import dataclass, field
from pathlib import Path

from etl_pipeline.contracts.drafting_columns import Profile, is_unique, unique_sets
from etl_pipeline.contracts.drafting_sniff import Sample
from etl_pipeline.contracts.drafting_words import FILE_WORDS, meanings, tokens

# Which meanings speak for which kind of fact; the name of the file counts as much as one strong column.
_EVIDENCE: dict[str, dict[str, int]] = {
    "sale": {"document": 2, "quantity": 2, "unit_price": 2, "net_amount": 3, "customer": 1, "product": 1, "time": 1},
    "count": {"on_hand": 5, "product": 1, "location": 1, "bin": 1, "lot": 1},
    "movement": {"event": 2, "quantity": 2, "product": 1, "bin": 2, "lot": 1, "location": 1, "time": 1},
    "supply": {"supplier": 2, "order_document": 2, "due": 2, "quantity": 2, "product": 1, "cost": 1},
    "demand": {"order_document": 3, "due": 1, "quantity": 2, "event": 1, "product": 1, "customer": 1},
    "offer": {"supplier": 2, "lead_time": 4, "minimum": 3, "cost": 1, "pack": 1, "product": 1},
    "product": {"product_name": 3, "category": 2, "gtin": 2, "product": 2, "list_price": 2, "safety": 2, "reorder": 2},
    "location": {"location_name": 3, "zone": 4, "location": 2},
    "supplier": {"supplier_name": 3, "supplier": 2},
}
_NEEDS: dict[str, str] = {
    "sale": "quantity", "count": "on_hand", "movement": "quantity", "supply": "quantity", "demand": "quantity",
    "offer": "supplier", "product": "product", "location": "location", "supplier": "supplier",
}  # fmt: skip
_AGAINST: dict[str, tuple[str, ...]] = {
    "product": ("quantity", "document", "order_document", "line"),
    "location": ("quantity", "product", "document", "on_hand"),
    "supplier": ("quantity", "product", "document", "on_hand"),
    "offer": ("document", "line", "order_document"),
    "movement": ("unit_price", "net_amount"),
    "supply": ("customer",),
}
_NUMBERS = ("integer", "decimal")
NAME_WEIGHT = 6
LONG_WORD = 5
_FITS: dict[str, tuple[str, ...]] = {
    "time": ("time",), "created": ("time",), "updated": ("time",), "due": ("time",),
    **dict.fromkeys(("quantity", "on_hand", "unit_price", "net_amount", "cost", "list_price", "safety", "reorder",
                     "lead_time", "minimum", "pack"), _NUMBERS),
}  # fmt: skip


@dataclass
class Meaning:
    """What a sample seems to be.

    Attributes:
        kind: of fact.
        score: how much speaks for it.
        rivals: other kinds that much speaks for, too.
        columns: meaning -> columns that may have it, best first.
        document: key columns of the document.
        line: key columns of the line, `$ordinal`, or None.
        key_note: how sure the key is.
    """

    kind: str
    score: int
    rivals: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    document: list[str] = field(default_factory=list)
    line: list[str] | str | None = None
    key_note: str = ""

    def best(self, *names: str) -> str | None:
        """Return the best column of the first meaning that has one."""
        return next((self.columns[name][0] for name in names if self.columns.get(name)), None)

    def others(self, names: tuple[str, ...]) -> list[str]:
        """Return up to three columns that have the same meaning as the best one."""
        return next((self.columns[name][1:4] for name in names if self.columns.get(name)), [])


def columns_by_meaning(sample: Sample, profiles: dict[str, Profile]) -> dict[str, list[str]]:
    """Return meaning -> columns; a column is used for its strongest meaning that its values fit."""
    scored: dict[str, list[tuple[float, int, str]]] = {}
    for place, name in enumerate(sample.columns):
        look = profiles[name]
        for meaning, strength in meanings(name):
            fits = _FITS.get(meaning)
            if look.kind != "empty" and fits is not None and look.kind not in fits:
                continue
            if fits is None and look.kind == "time" and meaning not in ("document", "line"):
                continue
            filled = look.filled / max(1, len(sample.rows))
            scored.setdefault(meaning, []).append((-(strength + filled + 0.5 * (name.count("../") == 0)), place, name))
            break
    return {meaning: [name for _, _, name in sorted(found)] for meaning, found in scored.items()}


def _scores(columns: dict[str, list[str]], path: Path) -> dict[str, int]:
    parts = tokens(path.name.partition(".")[0])
    words = {*parts, "".join(parts)}
    scores = {}
    for kind, evidence in _EVIDENCE.items():
        score = sum(weight for meaning, weight in evidence.items() if meaning in columns)
        known = FILE_WORDS[kind].split()
        is_named = any(
            word in words or (len(word) >= LONG_WORD and part.startswith(word)) for word in known for part in parts
        )
        score += NAME_WEIGHT * is_named
        score -= 2 * sum(meaning in columns for meaning in _AGAINST.get(kind, ()))
        score -= 3 * (kind == "sale" and not {"unit_price", "net_amount"} & columns.keys())
        scores[kind] = score if _NEEDS[kind] in columns else score - 4
    return scores


def guess(sample: Sample, profiles: dict[str, Profile], path: Path) -> Meaning:
    """Guess kind, columns and key of a sample."""
    columns = columns_by_meaning(sample, profiles)
    if "quantity" not in columns and "on_hand" in columns and "document" in columns and "line" in columns:
        columns["quantity"] = columns["on_hand"]
    scores = _scores(columns, path)
    kind = max(scores, key=lambda name: scores[name])
    rivals = [name for name, score in scores.items() if name != kind and score >= scores[kind] - 2]
    made = Meaning(kind, scores[kind], rivals, columns)
    _guess_key(made, sample, profiles)
    return made


def _guess_key(made: Meaning, sample: Sample, profiles: dict[str, Profile]) -> None:
    own = {"product": "product", "location": "location", "supplier": "supplier"}.get(made.kind)
    document = made.best(own) if own else made.best(*_document_words(made.kind))
    line = None if own else made.best("line")
    if document and is_unique(sample, (document,)):
        made.document, made.key_note = [document], "unique in the sample"
        return
    if document and line and line != document and is_unique(sample, (document, line)):
        made.document, made.line, made.key_note = [document], [line], "unique together in the sample"
        return
    found = unique_sets(sample, _key_candidates(made, sample, profiles, document))
    if found and document in found:
        made.document, made.line = [document], [name for name in found if name != document]
        made.key_note = "unique together in the sample; is that by chance?"
    elif found:
        made.document, made.key_note = list(found), "unique in the sample; is that by chance?"
    elif document:
        made.document, made.line, made.key_note = (
            [document],
            "$ordinal",
            "no columns are unique: equal lines are counted",
        )
    else:
        made.document, made.line, made.key_note = ["$file.name"], "$ordinal", "no document was found in the columns"


def _document_words(kind: str) -> tuple[str, ...]:
    if kind in ("supply", "demand"):
        return ("order_document", "document")
    return ("document", "order_document")


def _key_candidates(made: Meaning, sample: Sample, profiles: dict[str, Profile], document: str | None) -> list[str]:
    """Return columns that may be part of a key: codes, then times; never quantities, money or texts."""
    values = {name for m in ("quantity", "on_hand", "unit_price", "net_amount", "cost", "list_price", "customer")
              for name in made.columns.get(m, [])}  # fmt: skip
    order = (
        "document",
        "order_document",
        "line",
        "product",
        "location",
        "supplier",
        "bin",
        "lot",
        "unit",
        "event",
        "time",
    )
    wanted = [name for meaning in order for name in made.columns.get(meaning, [])[:2]]
    loose = [
        n for n in sample.columns if profiles[n].kind in ("code", "integer") and n.lower().endswith(("id", "no", "nr"))
    ]
    names = dict.fromkeys([*([document] if document else []), *wanted, *loose])
    return [name for name in names if name not in values and profiles[name].filled == len(sample.rows)]
