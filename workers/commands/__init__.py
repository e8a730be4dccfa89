"""The commands of `registry`, one file per noun. What a command needs is imported when it runs."""
