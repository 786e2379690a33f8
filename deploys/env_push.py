"""pyinfra inventory.py deploys/env_push.py [--dry | -y] [--limit HOST]"""

from kamal_pyinfra.deploys.scripts import env_push

env_push()
