"""What does each part of the method gain? Measured on rendered clips that the embedded model has never seen."""
