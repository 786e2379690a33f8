"""What happens during a run, as events."""
