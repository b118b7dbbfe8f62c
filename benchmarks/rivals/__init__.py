"""Evolution beside rivals that a practitioner would really use, each with an equal budget."""
