"""What `registry doctor` looks at, one file per part of the system; each check says what was found and what to do."""
