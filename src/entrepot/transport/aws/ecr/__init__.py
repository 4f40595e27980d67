"""Handlers of the ECR operations: unpack, call one service method, pack."""
