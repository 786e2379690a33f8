"""pyinfra inventory.py deploys/prune.py [--dry | -y] [--limit HOST]"""

from kamal_pyinfra.deploys.scripts import prune

prune()
