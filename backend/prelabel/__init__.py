"""Which sentences have to be grounded on which videos? Reading what a person names: tables, datasets, projects."""
