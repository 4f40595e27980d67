"""Blobs in S3: client, spool, appends, readers, and the store that they make."""
