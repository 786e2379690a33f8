"""The one place that drives pyinfra's engine: rounds of deploys on one set of connections."""
