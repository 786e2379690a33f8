"""The folder in which ``kp`` runs: git, ``kp init``, ``kp docs``, ``kp envify``."""
