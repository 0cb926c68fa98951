"""Train, export and evaluate classifiers; the only package that imports torch at import time."""
