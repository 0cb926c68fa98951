"""Replace emoji, emoticons and ratings by words; a word-piece vocabulary maps most of them to the unknown token.

Without it "Great 👎" and "Great 👍" have the same token ids, and "★☆☆☆☆" carries no sentiment.
"""

import re
from collections.abc import Mapping

import emoji

# Names are those of Unicode's annotations; the skin tone of a hand carries no sentiment.
_SKIN_TONE = re.compile(r"_(?:light|medium-light|medium|medium-dark|dark)_skin_tone")
_STARS = re.compile(r"[★⭐🌟✭✮⯪☆✩✰]\ufe0f?(?:\s?[★⭐🌟✭✮⯪☆✩✰]\ufe0f?)+")
_EMPTY_STARS = "☆✩✰"
_EMOTICON = re.compile(r"(?<![^\s.,!?])(?P<face><3+|</3|[:;=]['\u2019]?-?(?:[)\]DpP]+|[(\[/\\|]+))(?=[\s.,!?]|$)")
_RATING = re.compile(r"(?<![\d/.,])(?P<points>\d{1,3}(?:[.,]\d)?)\s?/\s?(?P<scale>5|10|100)(?![\d/]|[.,]\d)")
# The word for a rating from this share of the highest on; the shares are those of one to five stars.
_WORDS = ((0.9, "excellent"), (0.7, "good"), (0.5, "mediocre"), (0.3, "poor"), (0.0, "terrible"))
_MOST_STARS = 5


def spell_out(text: str) -> str:
    """Return the text with emoji and emoticons replaced by their names, and ratings followed by a word."""
    if not text.isascii():
        text = _STARS.sub(_stars, text)
        text = emoji.replace_emoji(text, replace=_name)
    if "/" in text or "<3" in text or ":" in text or ";" in text or "=" in text:
        text = _RATING.sub(_rating, text)
        text = _EMOTICON.sub(_emoticon, text)
    return text


def _name(symbol: str, data: Mapping[str, object]) -> str:
    name = str(data.get("en", ""))
    if data.get("status") == emoji.STATUS["unqualified"] and symbol in "©®™":
        return symbol
    return f" {_SKIN_TONE.sub('', name).strip(':').replace('_', ' ')} "


def _emoticon(match: re.Match[str]) -> str:
    face = match["face"]
    if face.startswith("<"):
        return " broken heart " if "/" in face else " red heart "
    return " smiling face " if face[-1] in ")]DpP" else " frowning face "


def _stars(match: re.Match[str]) -> str:
    marks = [mark for mark in match[0] if not mark.isspace() and mark != "\ufe0f"]
    filled = sum(mark not in _EMPTY_STARS for mark in marks)
    return f" {filled} of 5 stars ({_word(filled / max(len(marks), _MOST_STARS))} rating) "


def _rating(match: re.Match[str]) -> str:
    share = float(match["points"].replace(",", ".")) / float(match["scale"])
    return match[0] if share > 1 else f"{match[0]} ({_word(share)} rating)"


def _word(share: float) -> str:
    return next(word for least, word in _WORDS if share >= least)
