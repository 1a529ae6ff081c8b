"""What does a pre-labelling run cost on top of the model, and does it use what it is given?"""
