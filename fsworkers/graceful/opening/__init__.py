"""Opening things under permits, again when the kernel refuses: files, numbers, listings, trees."""
