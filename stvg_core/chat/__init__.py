"""A model that is shown pictures and answers in words: one protocol, for a model here and for one behind an address."""
