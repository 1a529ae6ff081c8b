"""Everything that knows how Label Studio names, counts and stores things."""
