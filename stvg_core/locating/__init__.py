"""Which track is it, from when to when, how sure, seen how? A locator answers (:mod:`stvg_core.locating.base`).

``attention`` is the paper's. Nothing is imported here: locators that use words need no torch.
"""
