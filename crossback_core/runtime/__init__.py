"""What a process runs on and in: its log and its device."""
