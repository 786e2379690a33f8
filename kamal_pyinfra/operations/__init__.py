"""Idempotent pyinfra operations, one resource kind each: observe, compare, yield commands or nothing."""
