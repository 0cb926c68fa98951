"""Cells that a careless writer or reader of CSV changes."""

NASTY = [
    '"',
    '""',
    'a "quoted" word',
    "a,b",
    "a;b",
    "a\tb",
    "a|b",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "\\.",
    "\\N",
    " a ",
    "'",
    "=1",
    "007",
    "é😀",
    "\u2028",
]
