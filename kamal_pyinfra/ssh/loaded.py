"""pyinfra, loaded with what has to be changed before it is: to be imported before anything of pyinfra's."""

from kamal_pyinfra.ssh.patches import load_engine

load_engine()
