"""Desired and observed become changes, in the order in which a deploy makes them."""
