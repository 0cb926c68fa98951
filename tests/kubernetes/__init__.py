"""What is said of kubernetes/: by its files, by what kubectl renders of them, and by promtool of its queries."""
