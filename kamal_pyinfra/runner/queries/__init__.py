"""Questions to hosts that change nothing."""
