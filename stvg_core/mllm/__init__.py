"""A multimodal LLM: loading, pixels, prompts, and one session per video that answers and shows its attention."""
