"""The command ``kp``: options in, one call, print out."""
