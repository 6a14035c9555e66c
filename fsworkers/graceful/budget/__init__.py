"""Who may have a descriptor, and when: permits, the line of those who wait, the limit."""
