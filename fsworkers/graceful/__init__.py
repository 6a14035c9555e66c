"""The descriptor layer: file operations that wait for a free descriptor instead of failing."""
