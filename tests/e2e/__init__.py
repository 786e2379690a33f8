"""Scenarios on the lab: real SSH, Docker, Traefik and registry; state and HTTP are asserted, not log text."""
