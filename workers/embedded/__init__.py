"""The embedded servers and whoever starts and stops processes: nothing here knows what the processes do."""
