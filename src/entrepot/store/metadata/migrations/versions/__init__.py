"""One module per schema revision, each from the one before: `revision_NNNN`."""
