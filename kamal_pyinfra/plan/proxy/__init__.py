"""What kp knows about a proxy product, and nowhere else."""
