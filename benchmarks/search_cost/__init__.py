"""What racing, screening and deduplication save."""
