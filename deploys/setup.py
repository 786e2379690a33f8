"""pyinfra inventory.py deploys/setup.py [--dry | -y] [--limit HOST] [--data version=VERSION]"""

from kamal_pyinfra.deploys.scripts import setup

setup()
