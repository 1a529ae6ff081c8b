"""Processes that are killed at random moments. Is every prediction delivered once, and every correction kept?"""
