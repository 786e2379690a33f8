"""pyinfra inventory.py deploys/deploy.py [--dry | -y] [--limit HOST] [--data version=VERSION]"""

from kamal_pyinfra.deploys.scripts import deploy

deploy()
