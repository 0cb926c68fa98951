"""Names of encodings, and a guess at the encoding of bytes that have no byte order mark and are not UTF-8."""

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

from files.errors import UnknownCharset, WrongEncoding, shown

DEFAULT = "windows-1252"
# Python's name of the codec → the usual name, which messages show.
_READ = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "ascii": "us-ascii",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "iso8859-1": "iso-8859-1",
    **{f"cp125{digit}": f"windows-125{digit}" for digit in range(9)},
    **{f"iso8859-{part}": f"iso-8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
    "mac-roman": "mac-roman",
    "mac-cyrillic": "mac-cyrillic",
    "mac-greek": "mac-greek",
    "mac-latin2": "mac-latin2",
    "mac-turkish": "mac-turkish",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "cp437": "cp437",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp866": "cp866",
    "shift-jis": "shift_jis",
    "cp932": "cp932",
    "euc-jp": "euc-jp",
    "gbk": "gbk",
    "gb2312": "gb2312",
    "gb18030": "gb18030",
    "big5": "big5",
    "euc-kr": "euc-kr",
    "cp949": "cp949",
}
_ALIASES = {"macintosh": "mac-roman", "macroman": "mac-roman", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}
# Characters beyond ASCII that occur beside the words of Western European languages.
_WESTERN_SIGNS = set(bytes([*range(0x80, 0xC0), 0xD7]).decode("cp1252", "ignore")) - set("ŠŒŽšœžŸµ¤¦¬¯±¶¸¹¨ˆ˜ƒ†‡‰")  # noqa: RUF001
_WITHIN_WORDS = set("\u2018\u2019\u00ad\u00b7\u2013\u2014\u2026")  # quotes, soft hyphen, dot, dashes, ellipsis
_PEEK_BYTES = 65_536
_ENOUGH_TO_GUESS = 50  # bytes beyond ASCII; with fewer, the detector's best guess is mostly wrong
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


def named(charset: str) -> str:
    """Return the usual name of an encoding.

    Raises:
        UnknownCharset: the encoding is not supported.
    """
    word = charset.strip().lower().replace("_", "-")
    try:
        codec = codecs.lookup(_ALIASES.get(word, word)).name.replace("_", "-")
    except (LookupError, ValueError, UnicodeError):
        codec = ""
    if codec not in _READ:
        raise UnknownCharset(
            f"The encoding {shown(charset)} is not supported; use utf-8, utf-16, windows-1252, iso-8859-1, mac-roman, "
            "us-ascii or another common one."
        )
    return _READ[codec]


def detected(piece: bytes, line: int) -> str:
    """Return the encoding of bytes that are not UTF-8: windows-1252 if they make sense in it.

    Args:
        piece: Bytes of the file, including the first that is not ASCII.
        line: Number of the line on which the piece begins.

    Raises:
        WrongEncoding: the bytes make no sense in windows-1252. The message names the likeliest other encoding; it is
            only a guess, so the file is not read with it.
    """
    peek = piece[:_PEEK_BYTES]
    if _is_western(peek.decode("cp1252", "replace")):
        return DEFAULT
    beyond = _NOT_ASCII.findall(peek)
    best = from_bytes(peek).best() if len(beyond) >= _ENOUGH_TO_GUESS else None
    guess = _READ.get(best.encoding.replace("_", "-")) if best else None
    likely = f"; it may be {guess}" if guess and guess not in {"utf-8", "us-ascii", DEFAULT} else ""
    at = line + peek[: peek.index(beyond[0])].count(b"\n")
    raise WrongEncoding(
        f"Line {at:,} is not valid UTF-8 and does not look like windows-1252{likely}; save the file as UTF-8, or set "
        "its encoding, for example encoding=windows-1252, mac-roman or windows-1251."
    )


def _is_western(text: str) -> bool:
    """Return whether nearly all characters beyond ASCII are letters of Latin words or the punctuation beside them."""
    places = [place for place, char in enumerate(text) if ord(char) > 127]
    undefined = sum(text[place] == "\ufffd" for place in places)
    at_home = sum(_is_at_home(text, place) for place in places)
    return at_home >= 0.9 * (len(places) - undefined) and at_home >= undefined


def _is_at_home(text: str, place: int) -> bool:
    char = text[place]
    if char in _WESTERN_SIGNS:
        return not _is_inner(text, place) or char in _WITHIN_WORDS
    if not unicodedata.name(char, "").startswith("LATIN"):
        return False
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    # A capital after a small letter shows a wrong encoding, as in "cafŽ".
    if char.isupper() and before.islower():
        return False
    return not (_is_odd(before) and _is_odd(after))


def _is_inner(text: str, place: int) -> bool:
    return text[place - 1 : place].isalpha() and text[place + 1 : place + 2].isalpha()


def _is_odd(char: str) -> bool:
    return bool(char) and ord(char) > 127 and char.isalpha()
