"""The written page of a run: drawings, formulas and figures."""
