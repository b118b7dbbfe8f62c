"""A teacher, a student and a data set as one thing to distil, with the taps where their knowledge is read."""
