"""What tells the predictions of one model, at one operating point, from those of another in the cache."""

from hashlib import sha256
from pathlib import Path

from inference.manifest import MANIFEST

#: Count up when cleaning, tokenising or post-processing changes: what was kept before is then found no more.
VERSION = 1


def fingerprint(model_dir: Path, point: str, *, neutral: bool) -> bytes:
    """Return what predictions of this model depend on beside the text, as 32 bytes.

    The manifest holds name, version, labels, calibration and the sha256 of every other file.
    """
    return sha256(f"{VERSION}\0{point}\0{neutral}\0".encode() + (model_dir / MANIFEST).read_bytes()).digest()
