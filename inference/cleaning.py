"""Clean the text of a review: one function for training, evaluation and serving.

`inference.tokenizer` applies it before every tokenisation, so training and serving see the same text.
"""

import html
import re

from inference.symbols import spell_out

# Only HTML elements that occur in reviews: "<3" and "a < b" are the writer's own text and stay.
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|cite|code|dd|del|div|dl|dt|em|font|h[1-6]|hr|i|img|ins|li|ol|p|pre|q|s"
    r"|small|span|strike|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)\b[^<>]*>",
    re.IGNORECASE,
)


def clean(text: str, *, symbols: bool = False) -> str:
    """Return the text with HTML entities decoded once, tags replaced by spaces, and white space collapsed.

    With `symbols`, emoji, emoticons and ratings are replaced by words, as models from version 3 on expect.
    """
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if symbols:
        text = spell_out(text)
    return " ".join(text.split())
