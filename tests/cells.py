"""Cells that careless writers and readers of CSV corrupt."""

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
