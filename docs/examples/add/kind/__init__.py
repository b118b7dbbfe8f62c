"""Classification with smoothed labels."""
