"""Whether a cheap training ranks random distillers as the full one does."""
