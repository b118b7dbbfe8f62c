"""Drawings of a tree: diagram, formula, LaTeX, and a tree of characters."""
