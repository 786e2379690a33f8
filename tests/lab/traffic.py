"""A load around a block of a test: `with Load(*urls) as load: deploy()`, then `load.report`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.lab.load_report import LoadReport
from tests.lab.names import here
from tests.lab.process import LabError


@dataclass
class Load:
    """A load in a process of its own; it is stopped at the end of the block, and bounded in any case."""

    urls: tuple[str, ...]
    seconds: float = 120
    max_requests: int = 100_000
    threads: int = 8
    rate: float = 200
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _report: LoadReport | None = field(default=None, init=False)

    @property
    def report(self) -> LoadReport:
        """Return what the load saw, once it has been stopped."""
        if self._report is None:
            raise LabError("the load has not been stopped yet")
        return self._report

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process."""
        self._folder = tempfile.TemporaryDirectory(prefix="kp-load-")
        argv = [sys.executable, "-m", "tests.lab.load", "--report", f"{self._folder.name}/report.json"]
        argv += [word for url in self.urls for word in ("--url", url)]
        argv += ["--seconds", str(self.seconds), "--max-requests", str(self.max_requests)]
        argv += ["--threads", str(self.threads), "--rate", str(self.rate)]
        self._process = subprocess.Popen(argv, cwd=here().checkout, stderr=subprocess.PIPE, text=True)

    def stop(self) -> LoadReport:
        """End the load after the requests in flight, and return what it saw."""
        if self._process is None:
            raise LabError("the load was not started")
        self._process.terminate()
        said = self._process.communicate(timeout=30)[1]
        path = Path(self._folder.name) / "report.json"
        if not path.exists():
            raise LabError(f"the load left no report:\n{said}")
        self._report = LoadReport.read(path)
        self._folder.cleanup()
        return self._report
