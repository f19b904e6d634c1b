"""Comma-separated values: any columns by their names, any delimiter, with or without a header.

``page=lbn`` says that the pages are in the column ``lbn``; ``address`` (bytes, in place of ``page``),
``size``, ``time``, ``op``, ``vm`` and ``content`` likewise, and an empty name leaves one out; other columns
are not kept.  Without a header the columns are called 1, 2, …  A delimiter is one character, or ``tab``.
Numbers are decimal or 0x…; blanks around values do not count.  A record is one line.  Lines that begin with
``comment`` are left out, but the header may stand in one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import IO, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from tracereplay.catalog import Flag, Text
from tracereplay.errors import UsageError
from tracereplay.problems import shown
from tracereplay.trace.batch import Batch
from tracereplay.trace.formats._columns import Columns
from tracereplay.trace.formats._lines import whole_lines
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, first_lines
from tracereplay.trace.schema import COLUMNS, Metadata

SAMPLE = "time,vm,page,op,content"
CARRIES = frozenset({*COLUMNS, "free"})

_AROUND = " \r"  # not a tab, which may be a delimiter
_TAB = "tab"


class _Form(NamedTuple):
    """How the records of a file are written."""

    delimiter: str
    header: bool
    comment: str

    def is_comment(self, line: str) -> bool:
        return bool(self.comment) and line.startswith(self.comment)

    def fields(self, line: str) -> list[str]:
        """The fields of one line."""
        text = line.removeprefix(self.comment)
        return [field.strip() for field in next(csv.reader([text], delimiter=self.delimiter))]


class _Line(NamedTuple):
    number: int
    text: str


def looks_like(head: bytes) -> bool:
    """Whether the first line is a header with a column ``page``, such as ``write`` makes."""
    names = [name.strip(b' "') for name in next(iter(first_lines(head)), b"").split(b",")]
    return len(names) > 1 and b"page" in names


def read(
    sources: Sequence[Source],
    findings: Findings,
    *,
    page: Text = "page",
    address: Text = "",
    size: Text = "",
    time: Text = "time",
    op: Text = "op",
    vm: Text = "vm",
    content: Text = "content",
    delimiter: Text = ",",
    header: Flag = True,
    comment: Text = "#",
    time_unit: Text = "accesses",
) -> Iterator[Records]:
    """One access a record."""
    columns = Columns(page, address, size, time, op, vm, content, time_unit)
    columns.tell(findings)
    form = _Form(_character(delimiter), header, comment)
    for source in sources:
        names: list[str] = []
        for lines in _blocks(source):
            names = names or _names(lines, form, columns.address or columns.page)
            chosen = columns.among(names, source.name)
            records = [line for line in lines if not form.is_comment(line.text)]
            findings.skip(f"lines that begin with {comment}", len(lines) - len(records))
            if records:
                table = _table(records, names, chosen, form, source)
                yield columns.records(table, findings, partial(_refuse, source, records))


def write(batches: Iterable[Batch], sink: IO[bytes], metadata: Metadata, *, delimiter: Text = ",") -> None:
    """All columns, numbers in decimal; nothing where a content is unknown."""
    options = arrow_csv.WriteOptions(include_header=False, delimiter=_character(delimiter))
    sink.write(options.delimiter.join(COLUMNS).encode() + b"\n")
    for batch in batches:
        columns = [pa.array(getattr(batch, name)) for name in COLUMNS if name != "content"]
        contents = pa.array(batch.content, mask=~batch.known)
        arrow_csv.write_csv(pa.record_batch([*columns, contents], COLUMNS), sink, options)


def _character(delimiter: str) -> str:
    if delimiter == _TAB:
        return "\t"
    if len(delimiter.encode()) != 1:
        raise UsageError(f"csv: delimiter: found {shown(delimiter)}; expected one character, or {_TAB}")
    return delimiter


def _blocks(source: Source) -> Iterator[list[_Line]]:
    """The lines that are not blank, some at a time."""
    before = 0
    for block in whole_lines(source):
        lines = block.tobytes().decode("utf-8", "replace").split("\n")[:-1]
        numbered = enumerate(lines, before + 1)
        before += len(lines)
        if kept := [_Line(n, line.strip(_AROUND)) for n, line in numbered if line.strip()]:
            yield kept


def _names(lines: list[_Line], form: _Form, key: str) -> list[str]:
    """The names of the columns; the header is taken out of ``lines``.

    It is the first line that is no comment, or a comment before that with a column ``key``.
    """
    for i, line in enumerate(lines):
        fields = form.fields(line.text)
        if form.header and (key in fields or not form.is_comment(line.text)):
            del lines[i]
            return fields
        if not form.is_comment(line.text):
            break
    return [str(i) for i in range(1, len(fields) + 1)]


def _table(
    lines: list[_Line], names: list[str], chosen: dict[str, str], form: _Form, source: Source
) -> pa.Table:
    """The columns ``chosen`` (ours → theirs) under our names, as texts without blanks around them."""
    numbers = {ours: str(names.index(theirs)) for ours, theirs in chosen.items()}
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
    if table.num_rows + len(bad) < len(lines):
        line = next(line for line in lines if line.text.count('"') % 2)
        source.refuse_line(line.number, shown(line.text), "a record on one line; a quote is not closed")
    if bad:
        line = lines[bad[0].number - 1]
        found = f"{bad[0].actual_columns} fields: {shown(line.text)}"
        source.refuse_line(line.number, found, f"{len(names)}: {', '.join(names)}")
    texts = [pc.ascii_trim_whitespace(table.column(number)) for number in numbers.values()]
    return pa.table(texts, list(numbers))


def _refuse(source: Source, lines: list[_Line], row: int, found: str, expected: str) -> NoReturn:
    source.refuse_line(lines[row].number, found, expected)
