"""What each smaller command (``kp app stop``, ``kp prune``, …) changes on a host."""
