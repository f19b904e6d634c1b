"""Comma-separated values: any columns by their names, any delimiter, with or without a header.

``page=lbn`` says that the pages are in the column ``lbn``; ``address`` (bytes, in place of ``page``),
``size``, ``time``, ``op``, ``vm`` and ``content`` likewise, and an empty name leaves one out; other columns
are not kept.  Without a header the columns are called 1, 2, …  A delimiter is one character, or ``tab``;
``auto`` is the first of comma, semicolon and tab by which the header has the pages' column, else a comma.
Numbers are decimal or 0x…; blanks around values do not count.  A record is one line.  Lines that begin with
``comment`` are left out, but the header may stand in one; where it comes again, as in files that were put
together, that line is left out, too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from tracereplay.catalog import Flag, Text
from tracereplay.errors import UsageError
from tracereplay.problems import shown
from tracereplay.trace.batch import Batch
from tracereplay.trace.formats._columns import Columns, with_columns
from tracereplay.trace.formats._lines import whole_lines
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, first_lines
from tracereplay.trace.schema import COLUMNS, Metadata

SAMPLE = "time,vm,page,op,content"
CARRIES = frozenset({*COLUMNS, "free", "fetch"})

_TAB, _AUTO = "tab", "auto"
_LIKELY = (",", ";", "\t")


class _Form(NamedTuple):
    """How the records of a file are written."""

    delimiter: str
    header: bool
    comment: str

    @property
    def blanks(self) -> str:
        """What does not count at the ends of a line."""
        return " \r" if self.delimiter == "\t" else " \t\r"

    def is_comment(self, line: str) -> bool:
        return bool(self.comment) and line.startswith(self.comment)

    def fields(self, line: str) -> list[str]:
        """The fields of one line; csv.Error if it ends within one."""
        reader = csv.reader([line.removeprefix(self.comment), ""], delimiter=self.delimiter)
        fields = next(reader)
        if reader.line_num > 1:
            raise csv.Error("a quote is not closed")
        return [field.strip() for field in fields]


class _Line(NamedTuple):
    number: int
    text: str


class _Records(NamedTuple):
    """Some of the lines below a header, none of which is one."""

    source: Source
    header: str
    lines: list[_Line]

    def refuse(self, row: int, found: str, expected: str) -> NoReturn:
        """TraceError for one of the lines; the first one of an archive's member may be another header."""
        number, text = self.lines[row]
        member, of_member = self.source.member(number)
        if self.header and member and of_member == 1:
            found = shown(text)
            expected = (
                f"{shown(self.header)}, the header of the members before it, or a record of its columns"
            )
        self.source.refuse_line(number, found, expected)


def looks_like(head: bytes) -> bool:
    """Whether the first line is a header with a column ``page``, such as ``write`` makes, and with others."""
    header = next(iter(_first_lines(head)), "")
    return any(delimiter in header and "page" in _split(header, delimiter) for delimiter in _LIKELY)


def _first_lines(head: bytes) -> list[str]:
    return [line.decode("utf-8", "replace") for line in first_lines(head)]


def _split(line: str, delimiter: str) -> list[str]:
    return [name.strip(' "') for name in line.split(delimiter)]


@with_columns
def read(
    sources: Sequence[Source],
    findings: Findings,
    columns: Columns,
    *,
    delimiter: Text = _AUTO,
    header: Flag = True,
    comment: Text = "#",
) -> Iterator[Records]:
    """One access a record."""
    if delimiter == _AUTO and not header:
        delimiter = ","
    said = None if delimiter == _AUTO else _character(delimiter)
    for source in sources:
        form = _Form(said or _likely(source, columns.address or columns.page, comment), header, comment)
        top, names = "", list[str]()
        for lines in _blocks(source, form):
            if not names:
                top, names = _names(lines, form, columns.address or columns.page, source)
            uncommented = [line for line in lines if not form.is_comment(line.text)]
            records = _Records(source, top, [line for line in uncommented if line.text != top])
            findings.skip(f"lines that begin with {comment}", len(lines) - len(uncommented))
            findings.skip("headers that come again", len(uncommented) - len(records.lines))
            if records.lines:
                chosen = columns.among(names, source.name, findings)
                yield columns.records(_table(records, names, chosen, form), findings, records.refuse)


def write(batches: Iterable[Batch], sink: IO[bytes], metadata: Metadata, *, delimiter: Text = ",") -> None:
    """All columns, numbers in decimal; nothing where a content is unknown."""
    options = arrow_csv.WriteOptions(include_header=False, delimiter=_character(delimiter))
    sink.write(options.delimiter.join(COLUMNS).encode() + b"\n")
    for batch in batches:
        columns = [pa.array(getattr(batch, name)) for name in COLUMNS if name != "content"]
        contents = pa.array(batch.content, mask=~batch.known)
        arrow_csv.write_csv(pa.record_batch([*columns, contents], COLUMNS), sink, options)


def _likely(source: Source, key: str, comment: str) -> str:
    """The delimiter by which one of the first lines has a column ``key``; a comma where none has."""
    lines = [line.removeprefix(comment) for line in _first_lines(source.head())]
    return next((d for d in _LIKELY if any(key in _split(line, d) for line in lines)), ",")


def _character(delimiter: str) -> str:
    if delimiter == _TAB:
        return "\t"
    if len(delimiter.encode()) != 1 or delimiter in '"\r\n\0':
        raise UsageError(f"csv: delimiter: found {shown(delimiter)}; expected one character, or {_TAB}")
    return delimiter


def _blocks(source: Source, form: _Form) -> Iterator[list[_Line]]:
    """The lines that are not blank, some at a time."""
    before = 0
    for block in whole_lines(source):
        text = block.tobytes().decode("utf-8", "replace")
        lines = text.split("\n")[:-1]
        numbered = enumerate(lines, before + 1)
        before += len(lines)
        blanks = form.blanks
        if kept := [_Line(n, stripped) for n, line in numbered if (stripped := line.strip(blanks))]:
            _refuse_returns(kept, source)
            yield kept


def _refuse_returns(lines: list[_Line], source: Source) -> None:
    """TraceError for a line with a carriage return inside, which others take for a line's end."""
    for number, text in lines:
        if "\r" in text:
            source.refuse_line(number, shown(text), "lines that end with \\n or \\r\\n")


def _names(lines: list[_Line], form: _Form, key: str, source: Source) -> tuple[str, list[str]]:
    """The header, which is taken out of ``lines``, and its columns' names, none if there are only comments.

    It is the first line that is no comment, or a comment before that with a column ``key``.
    """
    for i, line in enumerate(lines):
        fields = _fields(line, form, source)
        if form.header and (key in fields or not form.is_comment(line.text)):
            del lines[i]
            return line.text, fields
        if not form.is_comment(line.text):
            return "", [str(i) for i in range(1, len(fields) + 1)]
    return "", []


def _fields(line: _Line, form: _Form, source: Source) -> list[str]:
    """The fields of a line; none of a comment that has no such form."""
    try:
        return form.fields(line.text)
    except csv.Error as problem:
        if form.is_comment(line.text):
            return []
        source.refuse_line(line.number, shown(line.text), f"a record on one line; {problem}")


def _table(records: _Records, names: list[str], chosen: dict[str, str], form: _Form) -> pa.Table:
    """The columns ``chosen`` (ours → theirs) under our names, as texts without blanks around them."""
    numbers = {ours: str(names.index(theirs)) for ours, theirs in chosen.items()}
    lines = records.lines
    text = "\n".join(line.text for line in lines).encode()
    bad: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        bad.append(row)
        return "skip"

    table = arrow_csv.read_csv(
        pa.BufferReader(text),
        arrow_csv.ReadOptions(
            column_names=[str(i) for i in range(len(names))], use_threads=False, block_size=len(text) + 1
        ),
        arrow_csv.ParseOptions(delimiter=form.delimiter, invalid_row_handler=note),
        arrow_csv.ConvertOptions(
            include_columns=sorted({*numbers.values()}),
            column_types=dict.fromkeys(numbers.values(), pa.string()),
        ),
    )
    # a quote that is not closed takes the lines after it into its record; at the end there are none
    whole = table.num_rows + len(bad) == len(lines)
    for line in lines[-1:] if whole else lines:
        if '"' in line.text:
            _fields(line, form, records.source)
    if bad:
        row = bad[0].number - 1
        found = f"{bad[0].actual_columns} fields: {shown(lines[row].text)}"
        records.refuse(row, found, f"{len(names)}: {', '.join(names)}")
    texts = [pc.ascii_trim_whitespace(table.column(number)) for number in numbers.values()]
    return pa.table(texts, list(numbers))
