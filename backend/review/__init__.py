"""What became of the suggestions, and how far do people agree?"""
