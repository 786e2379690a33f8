"""Read-only answers, computed from snapshots and logs."""
