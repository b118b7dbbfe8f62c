"""Several students trained in one program."""
