"""A language model behind an address: text in, text out. Knows no video, no sentence and no Label Studio."""

from backend.language.decomposing import endpoint_decomposer
from backend.language.endpoint import ChatEndpoint, EndpointError

__all__ = ["ChatEndpoint", "EndpointError", "endpoint_decomposer"]
