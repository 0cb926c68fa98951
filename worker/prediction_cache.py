"""The fingerprint of a model at an operating point, which is part of the key of cached predictions."""

from hashlib import sha256
from pathlib import Path

from inference.manifest import MANIFEST

#: Increase it when cleaning, tokenising or post-processing changes; older cached predictions are then never found.
VERSION = 1


def fingerprint(model_dir: Path, point: str, *, neutral: bool) -> bytes:
    """Return a 32-byte hash of everything but the text that predictions of this model depend on.

    The manifest contains name, version, labels, calibration and the sha256 of every other file.
    """
    return sha256(f"{VERSION}\0{point}\0{neutral}\0".encode() + (model_dir / MANIFEST).read_bytes()).digest()
