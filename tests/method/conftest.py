from tests.mllm.conftest import noise, tiny, tiny_folder

__all__ = ["noise", "tiny", "tiny_folder"]
