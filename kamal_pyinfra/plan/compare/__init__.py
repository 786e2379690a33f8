"""How one running container differs from the one that is wanted, field by field."""
