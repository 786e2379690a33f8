"""The cords on a host."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from kamal_pyinfra.shell.login_shell import plain


class CordState(FactBase[dict[str, bool]]):
    """Cord directories and whether the cord in them is tied: ``{".kamal/cords/shop-web-0f…": True}``.

    A folder that cannot be read is an error, not an empty answer.
    """

    @staticmethod
    def default() -> dict[str, bool]:
        """There are no cords."""
        return {}

    def command(self, run_directory: str = ".kamal") -> StringCommand:
        """List the directories.

        Args:
            run_directory: the configuration's ``run_directory``.
        """
        folder = StringCommand(QuoteString(run_directory), "/cords", _separator="")
        script = StringCommand(
            "[ ! -e",
            folder,
            "] || ls",
            folder,
            "> /dev/null || exit 1; for path in",
            StringCommand(QuoteString(run_directory), "/cords/*;", _separator=""),
            'do [ ! -d "$path" ] || { [ -f "$path/cord" ] && echo "cord tied $path" || echo "cord cut $path"; }; done',
        )
        return StringCommand(plain(script.get_raw_value()))

    def process(self, output: list[str]) -> dict[str, bool]:
        """A state and a path a line; other lines are the login shell's."""
        rows = (line.removeprefix("cord ").partition(" ") for line in output if line.startswith("cord "))
        return {path: state == "tied" for state, _, path in rows if state in {"tied", "cut"}}
