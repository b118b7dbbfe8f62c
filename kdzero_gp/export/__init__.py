"""What leaves a run: best.json, and a module that runs without this package."""
