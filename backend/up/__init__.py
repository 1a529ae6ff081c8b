"""The whole service on one machine: which processes are there, on which GPU, and what happens when one ends?"""
