"""Views of a run: each shows its events in a way of its own."""
