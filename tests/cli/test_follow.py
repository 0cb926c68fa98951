"""Ctrl-C in `verdict_cli.follow`, beyond the cases of whole commands (test_submit)."""

import signal
import sys

import pytest

from verdict_cli.follow import ctrl_c_is_kept


class Falls:
    """Raises an interrupt in its destructor, where Python drops exceptions."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_a_destructor_drops_is_raised_at_the_next_check(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", dropped.append)
    before = signal.getsignal(signal.SIGINT)
    with ctrl_c_is_kept() as check:
        check()
        Falls()
        with pytest.raises(KeyboardInterrupt):
            check()
    assert len(dropped) == 1
    assert signal.getsignal(signal.SIGINT) is before
