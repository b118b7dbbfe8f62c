"""The engine's costs per tree beside plain DEAP's."""
