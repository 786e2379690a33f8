"""The nouns: a host as it should be and as it was found."""
