"""pyinfra inventory.py deploys/redeploy.py [--dry | -y] [--limit HOST] [--data version=VERSION]"""

from kamal_pyinfra.deploys.scripts import redeploy

redeploy()
