"""From options to a task: the parts that run, train and compare share."""
