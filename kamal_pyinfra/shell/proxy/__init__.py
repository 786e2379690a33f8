"""Shell text for the proxy container, and for the questions that a proxy product is asked."""
