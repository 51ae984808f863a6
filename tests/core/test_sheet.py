"""A visitor's prompts are read as they are meant, and no table that we write runs in a spreadsheet."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llada_demo.core.errors import CapacityError, UserError
from llada_demo.core.sheet import MAX_BYTES, MAX_CELL, MAX_ROWS, Row, read_sheet, write_csv

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
SIGNS = st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", "'", '"', " ", "\u3000", "\ufeff", "＝", "＠", ",", ";"])
TRICKY = st.builds("".join, st.lists(st.one_of(SIGNS, TEXT), max_size=6))


def prompts(data: bytes) -> list[str]:
    return [row.prompt for row in read_sheet(data)]


def cells(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@given(st.lists(st.builds(Row, TRICKY.filter(str.strip), TRICKY), min_size=1, max_size=20))
def test_what_is_written_is_read_back(rows: list[Row]):
    assert read_sheet(write_csv([vars(row) for row in rows])) == rows
    alone = [Row(row.prompt) for row in rows]
    assert read_sheet(write_csv([{"prompt": row.prompt} for row in rows])) == alone


@given(TRICKY)
def test_no_cell_that_is_written_begins_like_a_formula(text: str):
    for row in cells(write_csv([{text: text}])):
        for cell in row:
            assert not cell.startswith(("\t", "\r", "\n"))
            assert not cell.lstrip(" \t\r\n\u3000\ufeff").startswith(("=", "+", "-", "@", "＝", "＠"))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+62 812", "-5 derajat", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\u200b=1", "\ufeff=1",
     "＝1", "＋1", "－1", "＠SUM", "\u3000＝1", "'=1", "''=1", "−5"],
)  # fmt: skip
def test_a_formula_gets_one_apostrophe_and_loses_it_again(text: str):
    data = write_csv([{"prompt": text}])
    assert cells(data) == [["prompt"], ["'" + text]]
    assert prompts(data) == [text]


@pytest.mark.parametrize("text", ["Jum'at", "'kata'", "a=b", "1+1", "surel@contoh.id", '"kutip"'])
def test_harmless_text_is_written_as_it_is(text: str):
    assert cells(write_csv([{"prompt": text}]))[1] == [text]


def test_the_table_that_a_spreadsheet_opens():
    data = write_csv([{"prompt": "Halo; apa, kabar?", "suara": -3}, {"prompt": "é", "rerata": 0.5, "ya": True}])
    assert data.decode("utf-8") == (
        '\ufeff"prompt","suara","rerata","ya"\r\n"Halo; apa, kabar?",-3,"",""\r\n"é","",0.5,"True"\r\n'
    )
    assert write_csv([]) == b"\xef\xbb\xbf"
    assert write_csv([{"prompt": "\ud83d"}]).endswith(b'"?"\r\n')


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Halo, apa kabar?\n\n  Siapa kamu, Anita?  \r\nSatu;dua\rTiga\n", ["Halo, apa kabar?", "Siapa kamu, Anita?",
                                                                         "Satu;dua", "Tiga"]),
     ("Satu baris", ["Satu baris"]),
     ("Apa itu; hujan?\nApa itu; awan?", ["Apa itu; hujan?", "Apa itu; awan?"]),
     ('"Halo" katanya\nApa arti "gotong royong"?', ['"Halo" katanya', 'Apa arti "gotong royong"?']),
     ("'=bukan rumus\n=2+2 berapa?", ["'=bukan rumus", "=2+2 berapa?"]),
     ('"Halo, ""Anita""\nbaris dua"\n"Dua"\n', ['Halo, "Anita"\nbaris dua', "Dua"])],
)  # fmt: skip
def test_lines_without_a_header_are_prompts(text: str, expected: list[str]):
    assert prompts(text.encode()) == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("prompt", ["prompt", "Question", " PERTANYAAN ", "input", "q", '"text"'])
@pytest.mark.parametrize("reference", ["reference", "Referensi", "jawaban", "answer", "output", "EXPECTED"])
def test_columns_are_found_by_their_titles_wherever_they_stand(delimiter: str, prompt: str, reference: str):
    table = [["no", reference, prompt], ["1", "air", '"Apa itu hujan, embun; kabut?"'], ["2", "", "Halo"], ["", "", ""]]
    sheet = read_sheet("\n".join(delimiter.join(row) for row in table).encode())
    assert sheet == [Row("Apa itu hujan, embun; kabut?", "air"), Row("Halo")]
    assert [note[0] for note in sheet.notes] == ["1 baris tanpa prompt dilewati."]


def test_the_most_telling_title_counts():
    assert read_sheet(b"text,prompt,output\na,b,c") == [Row("b", "c")]


def test_a_column_alone_may_hold_commas_and_excel_may_add_empty_cells():
    assert prompts(b"prompt\nHalo, apa kabar?\nSatu;dua\n") == ["Halo, apa kabar?", "Satu;dua"]
    assert read_sheet(b"prompt,answer\nHalo,Hai,,\nDua\n") == [Row("Halo", "Hai"), Row("Dua")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_without_a_note(encoding: str):
    sheet = read_sheet("pertanyaan;jawaban\nApa itu “é”? 🌧;日本".encode(encoding))
    assert sheet == [Row("Apa itu “é”? 🌧", "日本")]
    assert sheet.notes == ()


def test_big_endian_utf_16_is_read():
    assert prompts(b"\xfe\xff" + "Apa itu é?".encode("utf-16-be")) == ["Apa itu é?"]


@pytest.mark.parametrize(("encoding", "text"), [("cp1252", "“Kafé” – apa?"), ("latin-1", "Kafé \x81")])
def test_an_old_encoding_is_read_with_a_note(encoding: str, text: str):
    sheet = read_sheet(text.encode(encoding))
    assert sheet == [Row(text)]
    ((indonesian, english),) = sheet.notes
    assert "UTF-8" in indonesian
    assert "UTF-8" in english


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "no prompts"), (b" \r\n\n", "no prompts"), (b"\xef\xbb\xbf", "no prompts"), (b"prompt\n", "no prompts"),
     (b"prompt,answer\n,x\n", "no prompts"),
     (b"no,soal\n1,Apa itu hujan\n2,Halo\n", "'no', 'soal'"), (b"a\tb\nc d\te", "columns are: 'a', 'b'"),
     (b"Halo\0dunia", "NUL"), ("Halo".encode("utf-16-le"), "NUL"), ("Halo".encode("utf-32"), "NUL"),
     (b"\xef\xbb\xbf\xff\xfe", "damaged"), (b"\xff\xfea", "damaged"),
     (b'prompt,answer\n"Halo,Hai\nDua,Tiga\n', "quote"), (b'prompt\n"Halo" katanya\n', "near line 2"),
     (b"prompt,answer\nHalo, apa kabar?,Baik\n", "Line 2 has 3 columns")],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, message: str):
    with pytest.raises(UserError, match=message) as caught:
        read_sheet(data)
    assert caught.value.in_language("id") != caught.value.in_language("en")


def test_unknown_columns_are_told_with_those_that_would_do():
    with pytest.raises(UserError, match="prompt, question, pertanyaan, input, q, text"):
        read_sheet(b"no;soal\n1;a\n2;b\n")


def test_the_limits_are_met_and_not_passed():
    assert len(read_sheet(b"Halo\n" * MAX_ROWS)) == MAX_ROWS
    assert prompts(b"a" * MAX_CELL) == ["a" * MAX_CELL]
    for data, message in [
        (b"Halo\n" * 10_000, "10000"),
        (b"prompt\n" + b"Halo\n" * 10_000, "10000"),
        (b"a" * (MAX_CELL + 1), str(MAX_CELL + 1)),
        (b"prompt,answer\nHalo," + b"a" * (MAX_CELL + 1), str(MAX_CELL + 1)),
        (b'prompt\n"' + b"a" * 200_000, "too long"),
        (b"a" * (MAX_BYTES + 1), "MB"),
    ]:
        with pytest.raises(CapacityError, match=message):
            read_sheet(data)


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_sentence(data: bytes):
    with suppress(UserError):
        assert all(row.prompt.strip() for row in read_sheet(data))
