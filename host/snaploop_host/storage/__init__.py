"""What is on disk: snaploop.db, blobs/ by SHA-256. The only writer of both; see design §5."""
