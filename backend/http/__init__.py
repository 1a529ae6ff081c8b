"""The web process: what Label Studio and people ask over HTTP."""
