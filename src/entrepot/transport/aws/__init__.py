"""The AWS planes: requests in the protocols of AWS's service models."""
