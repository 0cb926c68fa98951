"""The model runtime: `inference.load("models/default").predict(["A warm and funny film."])`.

It knows no queue, no store and no HTTP, so that any process that holds texts can use it.
"""

from inference.model import Model, load

__all__ = ["Model", "load"]
