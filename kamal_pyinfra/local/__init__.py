"""Programs on the deploying machine."""
