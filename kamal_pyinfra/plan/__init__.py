"""What should be, what is, and what to change. Pure: no host, no clock, no files."""
