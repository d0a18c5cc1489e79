"""What a command does on boards: which is meant, deploys, benchmark runs, many at once."""
