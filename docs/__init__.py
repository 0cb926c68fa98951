"""The documentation: Markdown pages, and in `docs.generate` the programs that write the pages made from code."""
