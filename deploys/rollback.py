"""pyinfra inventory.py deploys/rollback.py [--dry | -y] [--limit HOST] [--data version=VERSION]"""

from kamal_pyinfra.deploys.scripts import rollback

rollback()
