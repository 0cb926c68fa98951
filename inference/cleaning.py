"""The one cleaning of a review's text, shared by training, evaluation and serving.

Called by `inference.tokenizer` before every tokenisation, so that what a model learns and what it serves never differ.
"""

import html
import re

from inference.symbols import spell_out

# Only names that HTML gives to elements people meet in reviews: "<3" and "a < b" are the writer's own and stay.
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|dd|del|div|dl|dt|em|font|h[1-6]|hr|i|img|ins|li|ol|p|pre|q|s"
    r"|small|span|strike|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)\b[^<>]*>",
    re.IGNORECASE,
)


def clean(text: str, *, symbols: bool = False) -> str:
    """Return the text with HTML entities decoded once, HTML tags as spaces, and runs of white space as one space.

    With `symbols`, emoji, emoticons and ratings are put into words, as models from version 3 on learn them.
    """
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if symbols:
        text = spell_out(text)
    return " ".join(text.split())
