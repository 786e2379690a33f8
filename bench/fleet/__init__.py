"""A simulated fleet: many hosts behind one SSH server, to measure the controller and nothing else."""
