"""Idempotent pyinfra operations, one resource kind each: look, compare, yield commands or nothing."""
