"""``Config`` and ``Run`` become what one host should have."""
