"""The search: options in, an evolved distiller out."""
