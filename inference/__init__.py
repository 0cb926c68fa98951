"""The model runtime: `inference.load("models/default").predict(["A warm and funny film."])`.

It needs no queue, no database and no HTTP, so any Python process can use it.
"""

from inference.model import Model, load

__all__ = ["Model", "load"]
