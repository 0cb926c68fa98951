"""Recognition of text and of its encoding."""

import codecs
import gzip
from dataclasses import replace

import pytest

from files.errors import NotText, UnknownCharset, WrongEncoding
from files.layout import WantedColumns
from files.pieces import PIECE_BYTES
from tests.files.reading import CSV, NDJSON, errors, refusal, rows, table, texts

TEXT = "review,label\nCafé: “good”,positive\n"
FAR = PIECE_BYTES * 3
STRICT = replace(CSV, encoding_errors="strict")


def padded(end: bytes, size: int = FAR) -> bytes:
    """Return a file whose last review begins `size` bytes from its start."""
    return b"review\n" + b"a" * 99 + b"\n" * (size - 106) + end


@pytest.mark.parametrize(
    ("file", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("windows-1252"), "windows-1252"),
    ],
    ids=["utf-8", "utf-8-bom", "utf-16-le-bom", "utf-16-be-bom", "utf-16-le", "utf-16-be", "windows-1252"],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_the_encoding_is_found(file: bytes, encoding: str, size: int) -> None:
    assert table(file, size=size).layout.encoding == encoding
    assert rows(file, size=size)[0].text == "Café: “good”"
    assert table(file).layout.columns == ("review", "label")


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("utf_16", "utf-16"),
        ("utf-16", "utf-16-le"),
        ("utf-16", "utf-16-be"),
        ("UTF-16LE", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("Windows-1252", "windows-1252"),
        ("cp1252", "windows-1252"),
    ],
)
def test_a_charset_that_is_named_is_used(charset: str, encoding: str) -> None:
    assert texts(TEXT.encode(encoding), replace(CSV, charset=charset)) == ["Café: “good”"]


def test_a_named_charset_wins_over_what_the_bytes_look_like() -> None:
    assert texts("review\nCafé\n".encode(), replace(CSV, charset="latin-1")) == ["CafÃ©"]
    assert texts("review\nCafé\n".encode("iso-8859-1"), replace(CSV, charset=" ISO-8859-1")) == ["Café"]


def test_utf_16_without_mark_or_nuls_is_taken_as_little_endian_when_named() -> None:
    wanted = replace(CSV, charset="utf-16", text_column="評論")
    assert texts("評論\n好\n".encode("utf-16-le"), wanted) == ["好"]


@pytest.mark.parametrize("charset", ["utf-7", "", "idna", "x" * 1000, "rot13", "\ud800"])
def test_an_unknown_charset_is_refused(charset: str) -> None:
    assert len(refusal(UnknownCharset, TEXT, replace(CSV, charset=charset))) < 200


def test_a_byte_beyond_ascii_is_refused_with_its_offset_if_ascii_is_named() -> None:
    assert "0xc3 at offset 10" in refusal(WrongEncoding, "review\nCafé".encode(), replace(STRICT, charset="us-ascii"))


@pytest.mark.parametrize("size", [FAR, PIECE_BYTES + 7, PIECE_BYTES, PIECE_BYTES - 1, PIECE_BYTES - 2])
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_the_first_sequence_beyond_ascii_decides_wherever_it_is(encoding: str, size: int) -> None:
    file = padded("é€".encode(encoding), size)
    assert rows(file)[-1].text == "é€"


def test_the_layout_has_the_encoding_known_after_the_header() -> None:
    assert table(padded(b"\xe9", FAR)).layout.encoding == "utf-8"
    assert table(padded(b"\xe9", 1000)).layout.encoding == "windows-1252"


@pytest.mark.parametrize("end", [b"caf\xe9", b"caf\xe9\n", b"\x80", b"\xc3", b"\xe2\x82"])
def test_an_incomplete_sequence_at_the_end_is_windows_1252(end: bytes) -> None:
    assert texts(b"review\n" + end) == [end.decode("windows-1252").strip("\n")]


@pytest.mark.parametrize("place", range(PIECE_BYTES - 5, PIECE_BYTES + 2))
def test_a_sequence_may_be_cut_by_the_end_of_a_chunk(place: int) -> None:
    file = padded("é😀".encode(), place)
    assert rows(file, size=PIECE_BYTES)[-1].text == "é😀"


@pytest.mark.parametrize("size", [100, FAR])
def test_invalid_utf_8_after_valid_utf_8_is_refused_with_its_offset_and_line(size: int) -> None:
    file = padded("é".encode() + b"\xe9!", size) if size > 200 else b"review\n\xc3\xa9\xe9!"
    line = 1 + file.count(b"\n")
    assert f"0xe9 at offset {len(file) - 2:,}, near line {line:,}, is not valid utf-8" in refusal(
        WrongEncoding, file, STRICT
    )


@pytest.mark.parametrize("byte", [0x81, 0x8D, 0x8F, 0x90, 0x9D])
def test_an_undefined_byte_of_windows_1252_is_refused_with_its_offset(byte: int) -> None:
    message = refusal(WrongEncoding, b"review\ncaf\xe9 " + bytes([byte]), STRICT)
    assert f"0x{byte:02x} at offset 12, near line 2, is not valid windows-1252" in message


def test_half_a_surrogate_pair_in_utf_16_is_refused() -> None:
    assert "at offset 16" in refusal(WrongEncoding, "\ufeffreview\n".encode("utf-16-le") + b"\x00\xd8a\0", STRICT)


def test_utf_16_with_an_odd_number_of_bytes_is_refused() -> None:
    assert "utf-16-le" in refusal(WrongEncoding, "review\nfine\n".encode("utf-16-le") + b"a", STRICT)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (bytes.fromhex("d0cf11e0a1b11ae1"), "an old Excel workbook"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"{\\rtf1\\ansi Lovely.}", "an RTF document"),
        (b"<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"\n <TABLE border=1>", "an HTML page"),
        (b"<?xml version='1.0'?>", "XML"),
        (b"reviews.csv".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
        (b"Rar!\x1a\x07", "a RAR archive"),
        ("\ufeffreview\nfine\n".encode("utf-32-le"), "UTF-32"),
        ("\ufeffreview\nfine\n".encode("utf-32-be"), "UTF-32"),
        (b"SQLite format 3\0\x10\0", "an SQLite database"),
        (b"\0" * 100, "NUL"),
    ],
)
@pytest.mark.parametrize("wanted", [CSV, NDJSON, replace(CSV, charset="utf-8")], ids=["csv", "ndjson", "named"])
def test_a_file_that_is_not_text_is_refused_by_the_name_of_its_format(
    file: bytes, said: str, wanted: WantedColumns
) -> None:
    assert said in refusal(NotText, file, wanted)
    assert said in refusal(NotText, gzip.compress(file), wanted)


def test_a_column_whose_name_begins_like_parquet_is_no_parquet() -> None:
    assert texts("PAR1,review\n1,fine\n") == ["fine"]


def test_a_nul_in_the_header_is_refused_though_it_is_utf_16() -> None:
    assert "NUL" in refusal(NotText, "\ufeffreview,a\0b\nfine,1\n".encode("utf-16-le"))


def test_a_bad_byte_is_an_error_of_its_row_with_its_line() -> None:
    first, second, third = rows(b"id,review\n1,caf\xc3\xa9\n2,na\xefve\n3,fine\n")
    assert (first.error, third.error, second.text) == (None, None, "na\ufffdve")
    assert second.error is not None
    assert second.error.code == "invalid_encoding"
    assert second.error.detail.startswith("On line 3: the byte 0xef is not valid utf-8")
    assert errors(b'"caf\xc3\xa9"\n"na\xefve"\n"fine"\n', NDJSON) == [None, "invalid_encoding", None]


def test_a_bad_byte_in_any_cell_is_an_error_of_its_row() -> None:
    assert errors(b"id,review\n\xff,fine\n2,caf\xc3\xa9\n", replace(CSV, charset="utf-8")) == ["invalid_encoding", None]


def test_bad_bytes_can_be_replaced() -> None:
    wanted = replace(CSV, encoding_errors="replace")
    assert texts(b"review\ncaf\xc3\xa9\nna\xefve\n", wanted) == ["café", "na\ufffdve"]


def test_half_a_surrogate_pair_in_utf_16_is_an_error_of_its_row() -> None:
    file = "\ufeffreview\na".encode("utf-16-le") + b"\x00\xd8" + "b\nfine\n".encode("utf-16-le")
    assert errors(file) == ["invalid_encoding", None]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("mac_roman", "Warm café scene, naïve plot."),
        ("cp1251", "Очень хороший фильм"),
        ("koi8_r", "Очень хороший фильм"),
        ("cp1250", "Żółta gęś, świetny film"),
        ("shift_jis", "とても良い映画でした"),
        ("gb18030", "很好的电影,我喜欢"),
        ("cp437", "café naïve déjà vu"),
    ],
)
def test_another_encoding_is_never_taken_for_windows_1252_and_can_be_named(encoding: str, text: str) -> None:
    file = f'review\n"{text}"\n'.encode(encoding)
    assert "encoding=" in refusal(WrongEncoding, file)
    assert texts(file, replace(CSV, charset=encoding)) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "Warm café scene.",
        "“good” — it\u2019s fine…",
        "Übergröße für Ärzte",
        "¡Qué película! ¿Cómo?",
        "ÉTÉ SUPERBE",
        "£5, 20°",
    ],
)
def test_western_european_text_is_windows_1252(text: str) -> None:
    assert texts(f"review\n{text}\n".encode("windows-1252")) == [text]
