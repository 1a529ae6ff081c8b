from tests.core.by_hand import bench

__all__ = ["bench"]
