"""The first signal ends a run in order; later ones wait until that is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kamal_pyinfra.local.signals import ENDING, first_signal


@pytest.mark.parametrize("number", ENDING)
def test_only_the_first_signal_counts(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in ENDING]
    came: list[int] = []
    with first_signal(came.append):
        for each in (number, *ENDING):
            os.kill(os.getpid(), each)
        assert came == [number]
    assert [signal.getsignal(each) for each in ENDING] == before


def test_handlers_stay_until_they_are_taken_away() -> None:
    """Also after an exception: a run under pyinfra's own command line has no block that ends."""
    before = signal.getsignal(signal.SIGTERM)
    handlers = first_signal(lambda number: None)
    assert signal.getsignal(signal.SIGTERM) is not before
    handlers.close()
    assert signal.getsignal(signal.SIGTERM) is before


def test_leaving_lets_what_is_open_be_closed() -> None:
    closed: list[bool] = []

    def run() -> None:
        with first_signal(lambda number: sys.exit(128 + number)):
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:
                closed.append(True)

    with pytest.raises(SystemExit) as left:
        run()
    assert (left.value.code, closed) == (130, [True])


RUN = """
import sys
from kamal_pyinfra.runner.session import interruptible
import gevent
from kamal_pyinfra.errors import Interrupted
try:
    with interruptible():
        print("waiting", flush=True)
        {waits}
except Interrupted as error:
    print("interrupted", flush=True)
    gevent.sleep(0)
    print("clean", flush=True)
    sys.exit(error.code)
"""


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize(
    "waits",
    ["gevent.sleep(60)", "gevent.joinall([gevent.spawn(gevent.sleep, 60)])", "import time; time.sleep(60)"],
    ids=["asleep", "for hosts", "in a pause"],
)
def test_a_run_that_waits_is_interrupted_at_once(number: signal.Signals, waits: str) -> None:
    command = [sys.executable, "-c", RUN.format(waits=waits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            process.send_signal(number)
            output, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (output, process.returncode) == ("interrupted\nclean\n", 128 + number)
