"""The `files` part of a contract: where files are found and how they are cut into records."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """A part of a contract: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Trailer(Strict):
    """A last line that carries totals. It is non-data, and its totals are checked."""

    starts_with: Annotated[str, Field(description="The trailer line starts with this text.", min_length=1)]
    count_field: Annotated[
        int | None, Field(description="Position (from 1) of the field with the number of data records.")
    ] = None
    total_field: Annotated[int | None, Field(description="Position (from 1) of the field with a total.")] = None
    total_of: Annotated[str | None, Field(description="Column that the total adds up.")] = None
    required: Annotated[bool, Field(description="A file without the trailer is cut short and set aside.")] = True


class Delimited(Strict):
    """Dialect of delimited text (CSV, TSV, pipe...)."""

    delimiter: Annotated[str, Field(description="One character between fields.", min_length=1, max_length=1)] = ","
    quote: Annotated[str | None, Field(description="Quote character; null for none.")] = '"'
    doubled_quote: Annotated[bool, Field(description='A quote inside a quoted field is doubled ("").')] = True
    escape: Annotated[str | None, Field(description="Escape character; null for none.")] = None
    header: Annotated[bool, Field(description="The first record names the columns.")] = True
    header_rows: Annotated[
        int, Field(description="Records that form the header; their names are joined with a blank.", ge=1, le=5)
    ] = 1
    columns: Annotated[list[str] | None, Field(description="Column names in order, for a file without a header.")] = (
        None
    )
    skip_lines: Annotated[int, Field(description="Lines before the header (a preamble).", ge=0)] = 0
    comment: Annotated[str | None, Field(description="Lines starting with this are no data.")] = None
    multiline: Annotated[bool, Field(description="Quoted fields may hold line breaks.")] = True
    last_line_end: Annotated[
        Literal["optional", "required"],
        Field(
            description="required: the sender ends every line, so a file whose last line has no end was cut short and "
            "is set aside."
        ),
    ] = "optional"
    trailer: Trailer | None = None

    @model_validator(mode="after")
    def _columns_without_header(self) -> "Delimited":
        if not self.header and not self.columns:
            raise ValueError("a file without a header needs `columns`, the names in order")
        if self.header and self.columns:
            raise ValueError("`columns` names the columns of a file without a header; set `header: false`")
        return self


class Json(Strict):
    """Where records lie in a JSON document (or in each line of JSON lines)."""

    records: Annotated[
        str,
        Field(
            description="Path to the records: names joined by dots, [] after a list; empty for the top itself "
            "(a list there is read as one record an element). `orders[].lines[]` gives one record a line; "
            "fields of the order are then `../name`. Nested fields are `a.b`."
        ),
    ] = ""


class Xlsx(Strict):
    """Which sheet, and where its header is."""

    sheet: Annotated[str | None, Field(description="Name of the sheet; the first one if not given.")] = None
    header_row: Annotated[int, Field(description="Row (from 1) that names the columns.", ge=1)] = 1


class Xml(Strict):
    """Which elements are records."""

    records: Annotated[
        str,
        Field(
            description="Path of element names from below the root, such as `Order/Line`. Child text is a field by "
            "its name, nested `a.b`; attributes are `@name`; fields of parents are `../name`.",
            min_length=1,
        ),
    ]


class LogicalTime(Strict):
    """The file's own time: when its sender made it. It orders files; arrival never does."""

    path: Annotated[
        str | None,
        Field(description="Regular expression searched in the file's path; its first group is the time."),
    ] = None
    format: Annotated[str, Field(description="strptime format of the group.")] = "%Y-%m-%d"
    zone: Annotated[str, Field(description="IANA zone of the time in the path.")] = "UTC"
    column: Annotated[str | None, Field(description="The greatest value of this column in the file is its time.")] = (
        None
    )

    @model_validator(mode="after")
    def _one_source(self) -> "LogicalTime":
        if (self.path is None) == (self.column is None):
            raise ValueError("give either `path` or `column`")
        return self


class Volume(Strict):
    """How many records a file may have. One outside of it is set aside whole until a person has looked at it."""

    at_least: Annotated[int | None, Field(description="Fewest data records of a file that has any.", ge=1)] = None
    at_most: Annotated[int | None, Field(description="Most data records of a file.", ge=1)] = None
    allow_empty: Annotated[
        bool, Field(description="A file with a header and no records says `no activity` and is let in.")
    ] = True

    @model_validator(mode="after")
    def _in_order(self) -> "Volume":
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("`at_least` is more than `at_most`; no file could pass")
        return self


class Files(Strict):
    """Where the files of a feed are found and how they are read."""

    pattern: Annotated[
        str | list[str],
        Field(description="Glob below the inbox, such as `pos/*.csv` or `**/m_product.csv`; one or several."),
    ]
    format: Annotated[
        Literal["delimited", "json", "jsonl", "xlsx", "parquet", "xml"], Field(description="Format of the content.")
    ] = "delimited"
    compression: Annotated[
        Literal["auto", "none", "gzip", "zip"], Field(description="auto looks at the first bytes.")
    ] = "auto"
    encoding: Annotated[str, Field(description="Encoding of text. A byte order mark is taken off.")] = "utf-8"
    delimited: Delimited = Delimited()
    json_: Annotated[Json, Field(alias="json")] = Json()
    xlsx: Xlsx = Xlsx()
    xml: Xml | None = None
    logical_time: LogicalTime | None = None
    records: Volume = Volume()
    aliases: Annotated[
        dict[str, list[str]],
        Field(description="Other names under which a column may arrive: {name: [other, ...]}."),
    ] = {}
    ignore: Annotated[
        list[str],
        Field(
            description="Columns that are known and not wanted: whether they come or go is no event. Others that come "
            "or go are told by the run, and `systock feeds evolve` proposes what to change."
        ),
    ] = []

    @model_validator(mode="after")
    def _xml_has_path(self) -> "Files":
        if self.format == "xml" and self.xml is None:
            raise ValueError("format xml needs `xml: {records: Path/Of/Element}`")
        return self

    @property
    def patterns(self) -> list[str]:
        """The globs, always as a list."""
        return [self.pattern] if isinstance(self.pattern, str) else list(self.pattern)

    @property
    def name_their_columns(self) -> bool:
        """Whether the files say themselves which columns they have, used or not."""
        return self.format in ("xlsx", "parquet") or (self.format == "delimited" and self.delimited.header)
