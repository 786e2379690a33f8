"""What a run under pyinfra's own command line needs besides the phases."""
