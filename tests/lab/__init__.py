"""The lab: real hosts with sshd and a Docker engine each, on one machine.

`python3 -m tests.lab up` starts it, tests read it with `Lab.load()`.
"""

from __future__ import annotations

from tests.lab.lab import Lab, Registry
from tests.lab.load_report import Failure, LoadReport
from tests.lab.process import LabError
from tests.lab.traffic import Load

__all__ = ["Failure", "Lab", "LabError", "Load", "LoadReport", "Registry"]
