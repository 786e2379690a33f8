"""The phases of a deploy and what other commands do, each a pyinfra deploy; both front doors drive these."""
