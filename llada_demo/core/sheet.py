"""Prompts that a visitor brings, as pasted lines or a table, and tables that a spreadsheet opens without running them.

A table is CSV or TSV (RFC 4180) with a header that names the prompts' column; anything else is one prompt a line.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llada_demo.core.errors import CapacityError, UserError

PROMPT_COLUMNS = ("prompt", "question", "pertanyaan", "input", "q", "text")  # the first that is there counts
REFERENCE_COLUMNS = ("reference", "referensi", "jawaban", "answer", "output", "expected")
DELIMITERS = (",", ";", "\t")
MAX_BYTES = 2 * 2**20
MAX_ROWS = 200
MAX_CELL = 8000  # characters
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# What a spreadsheet runs: a sign that opens a formula, ASCII or full-width, also behind blanks; a tab or line break.
RUNS = re.compile(r"[\t\r\n]|[\s\0-\x20\u00ad\u180e\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠﹢﹣﹦﹫−]")
QUOTED_LINES = re.compile(r'(?:"[^"]*(?:""[^"]*)*"[ \t]*(?:[\r\n]+|\Z))+')
ABSENT = "\ud800"  # half a surrogate pair, which no decoded text holds: the delimiter of a table of one column


@dataclass(frozen=True)
class Row:
    """A prompt, and the answer that somebody expects, or ""."""

    prompt: str
    reference: str = ""


class Sheet(list[Row]):
    """The rows in their order. notes: what was done to read them, (Indonesian, English) each."""

    def __init__(self, rows: Sequence[Row], notes: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(rows)
        self.notes = tuple(notes)


def read_sheet(data: bytes) -> Sheet:
    """The prompts of pasted lines, or of a CSV or TSV file: 1 to 200, each up to 8,000 characters.

    UTF-8, UTF-16 with a byte order mark, else Windows-1252 (with a note). Rows without a prompt are left out (with
    a note). Raises UserError for what cannot be read, CapacityError for too much.
    """
    if len(data) > MAX_BYTES:
        raise CapacityError(
            f"Berkas ini {len(data) / 2**20:.1f} MB; paling banyak {MAX_BYTES >> 20} MB.",
            f"This file has {len(data) / 2**20:.1f} MB; the most is {MAX_BYTES >> 20} MB.",
        )
    text, notes = _decoded(data)
    if "\0" in text:
        raise UserError(
            "Berkas ini memuat bita NUL, jadi bukan teks biasa. Simpan sebagai CSV UTF-8, lalu coba lagi.",
            "This file holds NUL bytes, so it is no plain text. Save it as CSV UTF-8 and try again.",
        )
    rows = _rows(text)
    kept = [row for row in rows if row.prompt.strip()]
    if not kept:
        raise UserError(
            "Belum ada prompt. Tulis satu prompt per baris, atau pilih berkas CSV dengan kolom prompt.",
            "There are no prompts yet. Write one a line, or choose a CSV file with a column prompt.",
        )
    if empty := len(rows) - len(kept):
        notes.append((f"{empty} baris tanpa prompt dilewati.", f"Rows without a prompt that were left out: {empty}."))
    _check_size(kept)
    return Sheet(kept, notes)


def write_csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    """A table as CSV (RFC 4180) in UTF-8 with a byte order mark, so that a spreadsheet knows the encoding.

    The columns are the rows' keys in the order in which they first appear. Numbers stay numbers, None is empty, all
    else is text in quotes. Text that a spreadsheet would run as a formula gets an apostrophe in front, which
    `read_sheet` takes away again (as owasp.org/www-community/attacks/CSV_Injection advises).
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = io.StringIO(newline="")
    writer = csv.writer(table, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    if columns:
        writer.writerow([_guarded(name) for name in columns])
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows if columns)
    return codecs.BOM_UTF8 + table.getvalue().encode("utf-8", "replace")


def unguarded(text: str) -> str:
    """A cell as it was before `write_csv` made it harmless."""
    return text[1:] if text.startswith("'") and _runs(text) else text


def _guarded(text: str) -> str:
    return f"'{text}" if _runs(text) else text


def _runs(text: str) -> bool:
    """Whether a spreadsheet would run the text without its apostrophes. One that stood there already gets another,
    so that taking one away always gives the text back."""
    return RUNS.match(text, len(text) - len(text.lstrip("'"))) is not None


def _cell(value: object) -> object:
    if value is None or type(value) in (int, float):
        return value
    return _guarded(str(value))


def _decoded(data: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The text without its byte order mark, and a note where the encoding had to be guessed."""
    for bom, encoding in BOMS:
        if data.startswith(bom):
            try:
                return data[len(bom) :].decode(encoding), []
            except UnicodeDecodeError as error:
                raise UserError(
                    "Berkas ini rusak: isinya tidak sesuai dengan penyandian yang disebutnya. Simpan ulang "
                    "sebagai CSV UTF-8.",
                    "This file is damaged: it is not in the encoding that it names. Save it again as CSV UTF-8.",
                ) from error
    note = (
        "Berkas ini bukan UTF-8 dan dibaca sebagai Windows-1252; periksa huruf-huruf khususnya.",
        "This file is not UTF-8 and was read as Windows-1252; check its special letters.",
    )
    for encoding, notes in (("utf-8", []), ("cp1252", [note])):
        try:
            return data.decode(encoding), notes
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), [note]


def _rows(text: str) -> list[Row]:
    """Every row, also those without a prompt. Raises UserError for a table that cannot be read."""
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if not lines:
        return []
    for delimiter in DELIMITERS:
        header = _names(_first(text, delimiter))
        if at := [header.index(name) for name in PROMPT_COLUMNS if name in header]:
            reference = next((header.index(name) for name in REFERENCE_COLUMNS if name in header), None)
            # One column needs no delimiter: a comma in a prompt is a comma.
            table = _table(text, delimiter if len(header) > 1 else ABSENT)
            return [_row(cells, line, len(header), at[0], reference) for cells, line in table[1:]]
    _refuse_unknown_columns(text, lines[0])
    if QUOTED_LINES.fullmatch(text.strip()):
        return [Row(unguarded(cells[0])) for cells, _ in _table(text, ABSENT)]
    return [Row(line) for line in lines]


def _names(cells: Sequence[str]) -> list[str]:
    return [unguarded(cell).strip().casefold() for cell in cells]


def _row(cells: Sequence[str], line: int, width: int, prompt: int, reference: int | None) -> Row:
    if any(cells[width:]):
        raise UserError(
            f"Baris {line} punya {len(cells)} kolom, sedangkan judulnya {width}. Apit teks yang memuat pemisah "
            'kolom dengan tanda kutip ("...").',
            f"Line {line} has {len(cells)} columns, and the header has {width}. Put text that holds the column "
            'separator in quotes ("...").',
        )
    padded = [unguarded(cell) for cell in cells] + [""] * (width - len(cells))
    return Row(padded[prompt], "" if reference is None else padded[reference])


def _refuse_unknown_columns(text: str, first: str) -> None:
    """Raises UserError for a table without a column of prompts; sentences with commas are no table."""
    for delimiter in DELIMITERS:
        if delimiter not in first or (delimiter != "\t" and f"{delimiter} " in first):
            continue
        try:
            table = _table(text, delimiter)
        except UserError:
            continue
        widths = {len(cells) for cells, _ in table}
        if len(table) > 1 and len(widths) == 1 and max(widths) > 1:
            found = ", ".join(repr(cell.strip()[:40]) for cell in table[0][0][:10])
            wanted = ", ".join(PROMPT_COLUMNS)
            raise UserError(
                f"Tidak ada kolom prompt. Kolom yang ada: {found}. Beri salah satunya judul: {wanted}.",
                f"There is no column of prompts. The columns are: {found}. Give one of them the title: {wanted}.",
            )


def _first(text: str, delimiter: str) -> list[str]:
    """The cells of the first row that is not blank; none where its quotes do not match."""
    try:
        return next((cells for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if cells), [])
    except csv.Error:
        return []


def _table(text: str, delimiter: str) -> list[tuple[list[str], int]]:
    """(cells, line in the file where they end) of every row that is not blank. Raises UserError."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [(cells, reader.line_num) for cells in reader if cells]
    except csv.Error as error:
        if "field larger" in str(error):
            raise CapacityError(
                f"Sel di sekitar baris {reader.line_num} terlalu panjang; paling banyak {MAX_CELL} karakter. "
                "Mungkin tanda kutip penutupnya hilang.",
                f"The cell near line {reader.line_num} is too long; the most is {MAX_CELL} characters. Perhaps its "
                "closing quote is missing.",
            ) from error
        raise UserError(
            f'Tanda kutip (") tidak berpasangan di sekitar baris {reader.line_num}. Tulis tanda kutip di dalam sel '
            'dua kali ("").',
            f'A quote (") has no partner near line {reader.line_num}. Write a quote inside a cell twice ("").',
        ) from error


def _check_size(rows: Sequence[Row]) -> None:
    """Raises CapacityError for too many rows, or a cell that is too long."""
    if len(rows) > MAX_ROWS:
        raise CapacityError(
            f"Ada {len(rows)} prompt; paling banyak {MAX_ROWS} sekaligus. Bagi menjadi beberapa berkas.",
            f"There are {len(rows)} prompts; the most at once is {MAX_ROWS}. Split them into several files.",
        )
    for number, row in enumerate(rows, 1):
        longest = max(len(row.prompt), len(row.reference))
        if longest > MAX_CELL:
            raise CapacityError(
                f"Prompt atau referensi ke-{number} punya {longest} karakter; paling banyak {MAX_CELL}.",
                f"Prompt or reference {number} has {longest} characters; the most is {MAX_CELL}.",
            )
