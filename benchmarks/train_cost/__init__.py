"""What the final training costs beside a bare loop."""
