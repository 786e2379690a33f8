"""Timings on the lab: `make bench`."""
