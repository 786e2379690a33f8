"""Connections to hosts, and everything kp changes in third-party code."""
