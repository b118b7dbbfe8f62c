"""The operations that distillers are made of. A Python file put into this folder is loaded with the rest."""
