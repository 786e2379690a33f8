"""``python -m kamal_pyinfra`` is ``kp``."""

from kamal_pyinfra.cli.main import main

main()
