"""Evolution beside random search at an equal, small budget."""
