"""Labels of other tools and datasets, put into a Label Studio project."""
