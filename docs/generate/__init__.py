"""Pages that are generated from the code. `python -m docs.generate` writes them; a test compares them with the code."""
