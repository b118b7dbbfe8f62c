"""What a distiller is worth: screening, proxy training, fitness."""
