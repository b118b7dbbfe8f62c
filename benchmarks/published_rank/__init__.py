"""Whether a cheap training ranks published methods as their results do."""
