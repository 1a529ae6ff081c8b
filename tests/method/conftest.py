from tests.mllm.conftest import any_family, family_folder, noise, tiny, tiny_folder

__all__ = ["any_family", "family_folder", "noise", "tiny", "tiny_folder"]
