"""The totals of a trailer against the records before it, exactly."""

from collections.abc import Sequence
from decimal import Context, Decimal, DecimalException

import pyarrow as pa
import pyarrow.compute as pc

from etl_pipeline.contracts.format import Trailer
from etl_pipeline.core.errors import SetAsideError

MAX_DIGITS = 100
EXACT = Context(prec=4 * MAX_DIGITS)


class TrailerCheck:
    """Counts and adds up what passes, and compares at each trailer.

    A sender's count is of the records it wrote, so records that were set aside count, too. A total cannot be known
    while a record that belongs to it is set aside; then only the count is compared.
    """

    def __init__(self, contract: Trailer, names: Sequence[str]) -> None:
        """Begin a file whose columns are `names`.

        Raises:
            SetAsideError: the column that the total adds up is not in the file.
        """
        self._contract = contract
        self.column: int | None = None
        if contract.total_field is not None and contract.total_of is not None:
            if contract.total_of not in names:
                raise SetAsideError(
                    "missing_column", f"The trailer's total adds up '{contract.total_of}', which is not in the file."
                )
            self.column = list(names).index(contract.total_of)
        self._seen = 0
        self._restart()

    def _restart(self) -> None:
        self._records = 0
        self._set_aside = 0
        self._total = Decimal(0)
        self._unreadable: str | None = None

    def add(self, values: pa.Array | pa.ChunkedArray | None, records: int, set_aside: int) -> None:
        """Count records that passed, and add up their values."""
        self._records += records + set_aside
        self._set_aside += set_aside
        if values is None or len(values) == 0:
            return
        for entry in pc.value_counts(values).to_pylist():
            number = _number(entry["values"])
            if number is None:
                self._unreadable = entry["values"]
            else:
                self._total = EXACT.add(self._total, EXACT.multiply(number, Decimal(entry["counts"])))

    def verify(self, fields: Sequence[str]) -> None:
        """Compare with a trailer.

        Raises:
            SetAsideError: `control_total`.
        """
        self._seen += 1
        if self._contract.count_field is not None:
            told = _number(_field(fields, self._contract.count_field))
            if told != self._records:
                raise SetAsideError(
                    "control_total",
                    f"The trailer counts {told} records and {self._records:,} came before it; ask for the file again.",
                )
        if self.column is not None and self._set_aside == 0:
            told = _number(_field(fields, self._contract.total_field or 0))
            if self._unreadable is not None or told != self._total:
                why = f" ('{self._unreadable[:40]}' is no number)" if self._unreadable is not None else ""
                raise SetAsideError(
                    "control_total",
                    f"The trailer's total of '{self._contract.total_of}' is {told}, the records add up to "
                    f"{self._total:f}{why}; ask for the file again.",
                )
        self._restart()

    def finish(self) -> None:
        """Judge the end of the file.

        Raises:
            SetAsideError: `missing_trailer`.
        """
        if self._contract.required and (self._seen == 0 or self._records):
            behind = f"; {self._records:,} records come after the last one" if self._seen else ""
            raise SetAsideError(
                "missing_trailer",
                f"The file ends without the trailer '{self._contract.starts_with}'{behind}: it was cut short. "
                "Ask for it again.",
            )


def _field(fields: Sequence[str], position: int) -> str:
    return fields[position - 1] if 0 < position <= len(fields) else "(no such field)"


def _number(text: str) -> Decimal | None:
    """Read a number as senders write totals: nothing is zero, and a lone comma is a decimal point."""
    plain = text.strip().replace(" ", "").replace("\u00a0", "")
    if not plain:
        return Decimal(0)
    if plain.endswith("-"):
        plain = "-" + plain[:-1]
    if "." not in plain and plain.count(",") == 1:
        plain = plain.replace(",", ".")
    try:
        number = EXACT.create_decimal(plain)
    except DecimalException:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < MAX_DIGITS else None
