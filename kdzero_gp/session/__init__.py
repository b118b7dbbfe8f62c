"""One run from its options to its result: the task, the search, the final table, the exports."""
