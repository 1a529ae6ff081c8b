"""Zero-shot spatio-temporal video grounding: from a video and a sentence to a tube (a box per frame)."""
