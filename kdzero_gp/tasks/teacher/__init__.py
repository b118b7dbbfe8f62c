"""The teacher: trained once, its outputs computed once and kept."""
