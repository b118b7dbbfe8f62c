"""The evaluation of distillers: screening, proxy training, fitness, full training."""
