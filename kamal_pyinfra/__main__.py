"""``kp``, and ``python -m kamal_pyinfra``."""

import gc


def main() -> None:
    """Run ``kp`` and exit; see :func:`kamal_pyinfra.cli.main.main`."""
    # While modules load, Python would search for garbage again and again, for nothing: a tenth of the time until hosts
    # are contacted. A session lets it begin.
    gc.disable()

    from kamal_pyinfra.cli.main import main

    main()


if __name__ == "__main__":
    main()
