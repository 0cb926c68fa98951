"""Refuse to build a wheel: it would put `api`, `db` and `settings` at the top of the installing environment."""

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel

REFUSAL = """
The service runs from its checkout (make run) or from its images (Dockerfile.api, Dockerfile.worker), not from a wheel.
For the Python client and its command line: pip install ./clients/python
For development: pip install --editable .
"""


class NoWheel(bdist_wheel):
    """A wheel command that only prints the reason; editable installations do not run it."""

    def run(self) -> None:
        """Raise the refusal."""
        raise SystemExit(REFUSAL)


setup(cmdclass={"bdist_wheel": NoWheel})
