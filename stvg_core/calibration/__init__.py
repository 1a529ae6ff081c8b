"""Would other settings have agreed better with the corrections? Stored scores are joined again; no model is needed."""
