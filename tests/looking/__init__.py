"""A stand-in for a strong model: it decodes the pictures that it is sent, looks at their pixels, and answers in words.

It knows the domain of the rendered clips (colours, shapes, four directions, growing, shrinking) and nothing of the
truth of any clip.
"""
