"""Write the pages that are made from the code: `python -m docs.generate`."""

from docs.generate.pages import write

write()
