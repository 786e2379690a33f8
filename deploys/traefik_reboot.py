"""pyinfra inventory.py deploys/traefik_reboot.py [-y] [--limit HOST]; one host after the other"""

from kamal_pyinfra.deploys.scripts import traefik_reboot

traefik_reboot()
