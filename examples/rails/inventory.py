"""The hosts of config/deploy.yml, for plain pyinfra."""

from kamal_pyinfra.inventory import load_groups

globals().update(load_groups())
