"""The paper's method (arXiv 2509.15178): each file reads like one of its paragraphs."""
