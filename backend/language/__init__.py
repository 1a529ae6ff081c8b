"""A language model behind an address: text and pictures in, text out. Knows no video and no Label Studio."""

from backend.language.decomposing import endpoint_decomposer
from backend.language.endpoint import ChatEndpoint, EndpointError
from backend.language.pictures import PictureChat

__all__ = ["ChatEndpoint", "EndpointError", "PictureChat", "endpoint_decomposer"]
