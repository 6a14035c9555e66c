"""What ``install`` puts in place of what other code calls: in modules, at imports, in asyncio."""
