"""What an issue asks for: the fields of its form, or lines such as `Schema/Object Name: inv_supplier_stage`.

The text is anybody's. Here it is only cut into fields; whoever uses a field checks it.
"""

import re
from dataclasses import dataclass

MOST_LINES = 5_000
NO_RESPONSE = "_no response_"
OBJECT, FEED, KIND, INBOX, CONTRACT, SAMPLE = "object", "feed", "kind", "inbox", "contract", "sample"
_LABELS = {
    "schema/object name": OBJECT,
    "feed name": FEED,
    "kind of file": KIND,
    "inbox path": INBOX,
    "contract": CONTRACT,
    "contract (yaml)": CONTRACT,
    "sample": SAMPLE,
    "sample records": SAMPLE,
}
LABELS = tuple(_LABELS)
"""Headings of the form, in small letters."""
_HEADING = re.compile(r"#{1,6}[ \t]+(?P<label>[^\n]{1,80}?)[ \t#]*")
_INLINE = re.compile(r"[*_\- ]{0,6}(?P<label>[A-Za-z][A-Za-z/ ()]{1,40}?)[*_ ]{0,3}:[*_ ]{0,3}(?P<value>.*)")
_FENCE = re.compile(r" {0,3}(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)")


@dataclass(frozen=True)
class Asked:
    """The fields of an issue; an empty text is one that was not given.

    Attributes:
        object_name: what the environment is named after.
        feed: name of the feed to bring in.
        kind: kind of its files, in words.
        inbox: folder below the inbox in which its files lie.
        contract: YAML of its contract.
        sample: some records of it, as they arrive.
    """

    object_name: str = ""
    feed: str = ""
    kind: str = ""
    inbox: str = ""
    contract: str = ""
    sample: str = ""

    @property
    def brings_a_feed(self) -> bool:
        """Whether a contract or a sample to draft one from is given."""
        return bool(self.contract or self.sample)


NOTHING_ASKED = Asked()


class _Reader:
    """Cuts a text into fields, line by line; what stands between fences is content, whatever it looks like."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.fenced: dict[str, list[str]] = {}
        self._field = ""
        self._fence = ""
        self._block: list[str] | None = None

    def read(self, text: str) -> None:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MOST_LINES]
        for line in lines:
            self._line(line)

    def _line(self, line: str) -> None:
        fence = _FENCE.fullmatch(line)
        if self._fence:
            is_end = fence is not None and fence["mark"].startswith(self._fence) and not fence["info"].strip()
            if is_end:
                self._fence, self._block = "", None
            elif self._block is not None:
                self._block.append(line)
            return
        if fence is not None:
            self._fence, self._block = fence["mark"], self._new_block(fence["info"])
            return
        self._plain(line)

    def _new_block(self, info: str) -> list[str] | None:
        """Return where the lines of a block go: the field it stands under, or the one that its language tells."""
        word = info.strip().lower()
        told = CONTRACT if word in ("yaml", "yml") else SAMPLE if word in ("csv", "tsv", "sample") else ""
        name = self._field if self._field in (CONTRACT, SAMPLE) else told
        return self.fenced.setdefault(name, []) if name and name not in self.fenced else None

    def _plain(self, line: str) -> None:
        heading = _HEADING.fullmatch(line)
        inline = None if heading else _INLINE.fullmatch(line)
        if heading is not None:
            self._open(_LABELS.get(heading["label"].strip().lower(), ""))
        elif inline is not None and inline["label"].strip().lower() in _LABELS:
            self._open(_LABELS[inline["label"].strip().lower()])
            self._add(inline["value"])
            self._field = self._field if self._field in (CONTRACT, SAMPLE) else ""
        else:
            self._add(line)

    def _open(self, field: str) -> None:
        """Go on with a field; one that was told before stays as it was told first."""
        self._field = "" if field in self.fields else field
        if self._field:
            self.fields[self._field] = []

    def _add(self, line: str) -> None:
        if self._field:
            self.fields[self._field].append(line)

    def value(self, field: str) -> str:
        """Return a field's first line that says something."""
        said = (line.strip() for line in self.fields.get(field, []))
        first = next((line for line in said if line), "")
        return "" if first.lower() == NO_RESPONSE else first.strip("`").strip()

    def block(self, field: str) -> str:
        """Return a field of many lines: its fenced block, or all that stands in it."""
        text = "\n".join(self.fenced.get(field, []) or self.fields.get(field, [])).strip("\n")
        return "" if text.strip().lower() in ("", NO_RESPONSE) else text + "\n"


def asked_in(body: str) -> Asked:
    """Return the fields of an issue's body; what stands twice counts as it stands first."""
    reader = _Reader()
    reader.read(body)
    return Asked(
        object_name=reader.value(OBJECT),
        feed=reader.value(FEED),
        kind=reader.value(KIND),
        inbox=reader.value(INBOX),
        contract=reader.block(CONTRACT),
        sample=reader.block(SAMPLE),
    )
